"""The metrics of a whole gateway: the reports of its processes added up, in the format of Prometheus.

The counts of a process that has ended are kept, so that what is counted never goes backwards; its gauges are
not. Prometheus' own library writes the text, when it is asked for and not before. Called by `supervisor`;
the text is asked for in the threads of `health`.
"""

import threading
from collections.abc import Hashable, Iterable, Iterator, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from strongroom.gateway.meters import FAMILIES, Family, Merged, Report
from strongroom.session.metering import BOUNDS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_KEPT = frozenset({Merged.COUNTER, Merged.HISTOGRAM})


class Metrics:
    """What the processes of one gateway have reported."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: dict[Hashable, Report] = {}
        self._dead: Report = {}

    def take(self, process: Hashable, report: Report) -> None:
        """A process reports, in place of what it said before."""
        with self._lock:
            self._living[process] = report

    def ended(self, process: Hashable) -> None:
        """A process has ended: its counts stay."""
        with self._lock:
            last = self._living.pop(process, {})
            counts = {name: found for name, found in last.items() if FAMILIES[name].merged in _KEPT}
            self._dead = merged([self._dead, counts])

    def text(self, own: Report) -> bytes:
        """Everything, with the supervisor's ``own`` numbers, as Prometheus reads it."""
        with self._lock:
            reports = [self._dead, *self._living.values(), own]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(merged(reports)))
        return generate_latest(registry)


def merged(reports: Iterable[Report]) -> Report:
    """The numbers of several processes as those of one."""
    found: dict[str, dict[tuple[str, ...], Sequence[float]]] = {}
    for report in reports:
        for name, numbers in report.items():
            together = max if FAMILIES[name].merged is Merged.GREATEST else _sum
            into = found.setdefault(name, {})
            for labels, one in numbers.items():
                before = into.get(labels)
                into[labels] = one if before is None else list(map(together, before, one))
    return found


def _sum(one: float, other: float) -> float:
    return one + other


class _Once(Collector):
    """Gives one report to the library."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """All families of which there is a number, in the order of `FAMILIES`."""
        for name, family in FAMILIES.items():
            if name in self._report:
                yield _metric(name, family, self._report)

    def describe(self) -> Iterator[Metric]:
        """Nothing: no two collectors share a registry."""
        return iter(())


def _metric(name: str, family: Family, report: Report) -> Metric:
    numbers = sorted(report[name].items())
    if family.merged is Merged.HISTOGRAM:
        histogram = HistogramMetricFamily(name, family.help, labels=family.labels)
        for labels, (seconds, *counts) in numbers:
            histogram.add_metric(labels, buckets=_buckets(counts), sum_value=seconds)
        return histogram
    if family.merged is Merged.COUNTER:
        counter = CounterMetricFamily(name, family.help, labels=family.labels)
        for labels, (count,) in numbers:
            counter.add_metric(labels, count)
        return counter
    gauge = GaugeMetricFamily(name, family.help, labels=family.labels)
    for labels, (number,) in numbers:
        gauge.add_metric(labels, number)
    return gauge


def _buckets(counts: Sequence[float]) -> list[tuple[str, float]]:
    """Each bound with how many were not above it, as Prometheus wants them."""
    found, sofar = [], 0.0
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=True):
        sofar += count
        found.append((bound, sofar))
    return found
