"""Prometheus metrics of the platform's services and of Standfast itself, read when scraped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from projections.reading import NotReadyError, counts, projection_states, services
from projections.service import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric
    from sqlalchemy import Connection

    from projections.base import Row
    from projections.heartbeat import HeartbeatWindow
    from projections.latency import LatencyWindow
    from projections.reading import Reading

UP = {"healthy": 1.0, "down": 0.0}
ALERT_STATES = ("firing", "acknowledged", "resolved")


@dataclass(frozen=True, slots=True)
class MetricsSource:
    """Where the figures come from. `head` is the log's last sequence, None if not known.

    `known` gives the rows of services as they are known to be now: those that may be old are not.
    """

    reading: Reading
    window: LatencyWindow
    heartbeats: HeartbeatWindow
    build: str
    now: Callable[[], float]
    head: Callable[[], int | None]
    known: Callable[[list[Row]], list[Row]] = field(default=list)


def exposition(source: MetricsSource) -> bytes:
    """Give all metrics in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(StandfastCollector(source))
    return generate_latest(registry)


class StandfastCollector(Collector):
    """Asks the projections once a scrape."""

    def __init__(self, source: MetricsSource) -> None:
        """Collect from a source."""
        self._source = source

    def describe(self) -> list[Metric]:
        """Say nothing in advance, so that registering asks no question."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give every family; those of unreadable projections are left out."""
        yield InfoMetricFamily(
            "standfast_build", "What runs here.", value={"build": self._source.build}
        )
        readable = GaugeMetricFamily("standfast_projections_readable", "1 while they can be read.")
        try:
            with self._source.reading.moment() as connection:
                families = [*self._of_rows(connection)]
        except NotReadyError:
            families = []
        readable.add_metric([], float(bool(families)))
        yield readable
        yield from families
        yield from self._probes()
        yield from self._processes()

    def _of_rows(self, connection: Connection) -> Iterator[Metric]:
        rows = self._source.known(services(connection))
        yield from _services(rows)
        yield from _counted(connection, rows)
        yield from self._positions(connection)

    def _positions(self, connection: Connection) -> Iterator[Metric]:
        position = GaugeMetricFamily(
            "standfast_projection_position",
            "The log's sequence that a projection has reached.",
            labels=["projection"],
        )
        lag = GaugeMetricFamily(
            "standfast_projection_lag",
            "How many sequences a projection is behind the log.",
            labels=["projection"],
        )
        errors = GaugeMetricFamily(
            "standfast_projection_errors",
            "Events that a projection left out, being unable to take them in.",
            labels=["projection"],
        )
        head = self._source.head()
        for state in projection_states(connection):
            position.add_metric([state.name], state.sequence)
            errors.add_metric([state.name], state.errors)
            if head is not None:
                lag.add_metric([state.name], max(0, head - state.sequence))
        yield from (position, lag, errors)

    def _probes(self) -> Iterator[Metric]:
        labels = ["service", "check"]
        success = GaugeMetricFamily(
            "probe_success", "Whether the last probe succeeded.", labels=labels
        )
        seconds = GaugeMetricFamily(
            "probe_duration_seconds", "How long the last probe took.", labels=labels
        )
        for service, check in self._source.window.held():
            for point in self._source.window.points(service, check)[-1:]:
                if point.success is not None:
                    success.add_metric([service, check], float(point.success))
                if point.seconds is not None:
                    seconds.add_metric([service, check], point.seconds)
        yield from (success, seconds)

    def _processes(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "standfast_process_heartbeat_age_seconds",
            "How long ago a process was last heard of.",
            labels=["process"],
        )
        lag = GaugeMetricFamily(
            "standfast_process_loop_lag_seconds",
            "How long a process's event loop lagged when it was last heard of.",
            labels=["process"],
        )
        now = self._source.now()
        for heard in self._source.heartbeats.all():
            age.add_metric([heard.process], max(0.0, now - heard.time.timestamp()))
            if heard.lag_seconds is not None:
                lag.add_metric([heard.process], heard.lag_seconds)
        yield from (age, lag)


def _services(rows: list[Row]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "standfast_service_up",
        "1 healthy, 0 down; a service that nobody can judge has no value.",
        labels=["service"],
    )
    judged = GaugeMetricFamily(
        "standfast_service_judged", "Whether there is a verdict now.", labels=["service"]
    )
    for row in rows:
        judged.add_metric([row["id"]], float(row["state"] in UP))
        if row["state"] in UP:
            up.add_metric([row["id"]], UP[row["state"]])
    yield from (up, judged)


def _counted(connection: Connection, rows: list[Row]) -> Iterator[Metric]:
    found = counts(connection)
    retired = found["services"].get("retired", 0)
    by_state = Counter({"retired": retired}) + Counter(row["state"] for row in rows)
    states = GaugeMetricFamily("standfast_services", "Services by state.", labels=["state"])
    for state in STATES:
        states.add_metric([state], by_state[state])
    alerts = GaugeMetricFamily("standfast_alerts", "Alerts by state.", labels=["state"])
    for state in ALERT_STATES:
        alerts.add_metric([state], found["alerts"].get(state, 0))
    incidents = found["incidents"].get("open", 0)
    yield states
    yield GaugeMetricFamily("standfast_incidents_open", "Incidents open now.", value=incidents)
    yield alerts
