"""``strongroom serve``: run the gateway."""

from strongroom.cli.options import Config
from strongroom.config import DEFAULT_FILE, load
from strongroom.gateway import supervisor


def serve(config: Config = DEFAULT_FILE) -> None:
    """Run the gateway until SIGTERM; SIGHUP reloads the configuration.

    Example: strongroom serve --config /etc/strongroom/strongroom.yaml
    """
    supervisor.serve(load(config))
