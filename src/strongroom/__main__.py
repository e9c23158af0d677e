"""``python -m strongroom``: the command line, where the console script is not on the path."""

from strongroom.cli import main

if __name__ == "__main__":
    main()
