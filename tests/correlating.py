"""A correlator and the incidents it orders about, without a log: only deciders and a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from actors.base import Command, Declined
from actors.incident import INCIDENT, Open
from actors.policies.base import Consider, Observe, StartPolicy, decider_of
from actors.policies.correlate import CORRELATE
from events.address import EntityAddress
from events.base import Envelope, Event, Evidence, Origin, Position
from events.platform import PlatformConfigured, PlatformSettings
from events.policy import Order, PolicyAdvanced
from events.service import ServiceBecameHealthy, ServiceRetired, ServiceWentDown
from events.topology import Node, TopologyDeclared

if TYPE_CHECKING:
    from actors.policies.picture import Picture

EVIDENCE = Evidence(stream="S", log_id="L", generation=1, first=1, last=2)
EPOCH = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DECIDER = decider_of(CORRELATE)


def position(sequence: int) -> Position:
    """Give a position in the one life of the one log."""
    return Position("L", 1, sequence)


def envelope(address: str, event: Event, sequence: int, now: datetime) -> Envelope:
    """Give an event as a policy reads it."""
    origin = Origin(f"command-{sequence}", "test", "/test", now, f"correlation-{sequence}")
    return Envelope(
        event=event,
        id=f"commit-{sequence}.0",
        entity=EntityAddress.parse(address),
        position=position(sequence),
        index=0,
        origin=origin,
        decided=now,
        platform="p",
        cell="c",
        build="b",
    )


@dataclass(slots=True)
class Correlating:
    """Services fail and recover; `incidents` are the states that the orders led to."""

    services: dict[str, tuple[str, ...]]
    settle_seconds: float = 3.0
    now: datetime = EPOCH
    sequence: int = 0
    state: Any = None
    incidents: dict[str, Any] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    probes: list[str] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the policy and tell it of the platform."""
        self.state = DECIDER.initial
        self._give(StartPolicy(position=position(0)))
        settings = PlatformSettings(settle_seconds=self.settle_seconds)
        self._feed("platform/p", PlatformConfigured(settings=settings, configuration_hash=""))
        self.declare(self.services)

    @property
    def picture(self) -> Picture:
        """What the correlator knows."""
        picture: Picture = self.state.knows
        return picture

    def declare(self, services: dict[str, tuple[str, ...]]) -> None:
        """Declare what needs what."""
        nodes = {name: Node(depends_on=needs) for name, needs in services.items()}
        self._feed("topology/p", TopologyDeclared(services=nodes, configuration_hash=""))

    def down(self, *names: str) -> None:
        """Let services fail, a moment apart."""
        for name in names:
            self.failing.add(name)
            event = ServiceWentDown(
                was="healthy", since=self.now, check="c", reason="refused", evidence=EVIDENCE
            )
            self._feed(f"service/{name}", event)

    def healthy(self, *names: str) -> None:
        """Let services recover, a moment apart."""
        for name in names:
            self.failing.discard(name)
            event = ServiceBecameHealthy(was="down", since=self.now, evidence=EVIDENCE)
            self._feed(f"service/{name}", event)

    def retire(self, name: str) -> None:
        """Let a service leave the configuration."""
        self.failing.discard(name)
        self._feed(f"service/{name}", ServiceRetired(reason="test", configuration_hash=""))

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what falls due is considered when it does."""
        until = self.now + timedelta(seconds=seconds)
        while (due := DECIDER.due(self.state)) is not None and due <= until:
            self.now = max(self.now, due)
            before = self.state
            self._give(Consider(position=position(self.sequence), index=0, delivered=0))
            assert self.state != before, f"due at {due}, and nothing came of it"
        self.now = until

    def settle(self) -> None:
        """Let enough time pass for everything to settle."""
        self.pass_time(self.settle_seconds + 1)
        assert DECIDER.due(self.state) is None

    def open(self) -> dict[str, Open]:
        """Give the open incidents."""
        return {name: one for name, one in self.incidents.items() if isinstance(one, Open)}

    def _feed(self, address: str, event: Event) -> None:
        self.sequence += 1
        self.now += timedelta(milliseconds=1)
        read = envelope(address, event, self.sequence, self.now)
        self._give(Observe.model_construct(envelope=read, delivered=self.state.last_number))

    def _give(self, command: Command) -> None:
        decision = DECIDER.decide(self.state, command, self.now)
        assert not isinstance(decision, Declined), decision
        for event in decision:
            self.names.append(type(event).__name__)
            self.state = DECIDER.evolve(self.state, event)
            for order in event.orders if isinstance(event, PolicyAdvanced) else ():
                self._deliver(order)

    def _deliver(self, order: Order) -> None:
        kind, _, name = order.target.partition("/")
        if kind == "service":
            self.probes.append(name)
            return
        state = self.incidents.get(name, INCIDENT.initial)
        command = Command.registry[order.command].model_validate(order.arguments)
        decision = INCIDENT.decide(state, command, self.now)
        if isinstance(decision, Declined):
            self.declined.append(f"{order.target} {order.command}: {decision.reason}")
            return
        for event in decision:
            state = INCIDENT.evolve(state, event)
        self.incidents[name] = state

    def check(self) -> None:
        """What must hold whenever everything has settled."""
        opened = self.open()
        assert {name: one.cause for name, one in self.picture.cases.items()} == {
            name: one.cause for name, one in opened.items()
        }
        members = [service for one in opened.values() for service in one.failing]
        assert sorted(members) == sorted(self.failing), "each failing service is in one incident"
        causes = [one.cause for one in opened.values()]
        assert len(causes) == len(set(causes)), "one incident for one cause"
        assert self.declined == []
        kept = DECIDER.states.dump_json(self.state)
        assert DECIDER.states.validate_json(kept) == self.state
