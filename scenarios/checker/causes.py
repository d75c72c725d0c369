"""Fourth: causes close: what was ordered has one outcome, and nothing points nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from actors.placement import Placement
from actors.policies import POLICIES
from actors.runtime.ownership import PLACEMENT_ADDRESS, ownership_of
from events.address import EntityAddress
from events.policy import CauseQuarantined, PolicyAdvanced, SymptomSeen
from events.service import ServiceBecameHealthy, ServiceRetired, ServiceWentDown
from scenarios.checker.following import Follower
from scenarios.checker.invariant import Invariant

if TYPE_CHECKING:
    from datetime import datetime

    from events.base import Envelope, Mark
    from events.policy import Order
    from scenarios.checker.invariant import Landed

ORDERS, CAUSES, FAILURES, FOLLOWED = "orders", "causes", "failures seen", "followed"


@dataclass(frozen=True, slots=True)
class _Ordered:
    """An order, and the commit of the policy that gave it."""

    order: Order
    sequence: int


@dataclass(slots=True)
class Causes(Invariant):
    """Follows orders to their outcomes, facts to who must handle them, and causes to their facts.

    A failure is one of a service that was not failed before: it must be seen once.
    """

    name: ClassVar[str] = "causes"
    claims: ClassVar[tuple[str, ...]] = (ORDERS, CAUSES, FAILURES, FOLLOWED)
    _events: set[str] = field(default_factory=set)
    _open: dict[tuple[str, int], _Ordered] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)
    _unseen: dict[str, tuple[str, int]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _followers: dict[EntityAddress, Follower] = field(
        default_factory=lambda: {
            EntityAddress("policy", policy.id): Follower(policy) for policy in POLICIES
        }
    )

    def commit(self, landed: Landed) -> None:
        """Close what the commit answers, then note what it begins."""
        commit = landed.stored.commit
        for origin in commit.origins:
            if origin.mark is not None:
                self._close(landed, origin.mark)
            if origin.causation_id is not None:
                self._point(landed, origin.causation_id)
        for index in range(len(commit.facts)):
            self._events.add(f"{commit.id}.{index}")
        for envelope in landed.envelopes:
            self._begin(landed, envelope.event, envelope.id)
            self._follow(landed, envelope)

    def _follow(self, landed: Landed, envelope: Envelope) -> None:
        for address, follower in self._followers.items():
            if address != envelope.entity:
                follower.caused(envelope)
                continue
            before = follower.handled
            for cause in follower.advanced(envelope.event, envelope.decided):
                self._passed_over(address, cause, landed.sequence)
            self.exercised[FOLLOWED] += follower.handled - before

    def _passed_over(self, policy: EntityAddress, cause: Envelope, sequence: int) -> None:
        what = f"it concluded nothing from {cause.event.type} of {cause.entity} ({cause.id})"
        self.broken(str(policy), sequence, what)

    def _close(self, landed: Landed, mark: Mark) -> None:
        ordered = self._open.pop((mark.policy, mark.number), None)
        name = f"order {mark.number} of {mark.policy}"
        if ordered is None:
            given = mark.number <= self._last.get(mark.policy, 0)
            what = f"{name} has a second outcome" if given else f"{name} was never given"
            self.broken(landed.entity, landed.sequence, what)
            return
        self.exercise(ORDERS)
        if ordered.order.target != landed.entity:
            what = f"{name} was for {ordered.order.target}"
            self.broken(landed.entity, landed.sequence, what)

    def _point(self, landed: Landed, cause: str) -> None:
        self.exercise(CAUSES)
        if cause not in self._events:
            what = f"its cause {cause} is no event that came before it"
            self.broken(landed.entity, landed.sequence, what)

    def _begin(self, landed: Landed, event: object, event_id: str) -> None:
        match event:
            case PolicyAdvanced(orders=orders):
                for order in orders:
                    self._order(landed, order)
            case ServiceWentDown():
                self._fail(landed, event_id)
            case ServiceBecameHealthy() | ServiceRetired():
                self._failed.pop(landed.entity, None)
            case SymptomSeen(cause_id=cause):
                self._see(landed, cause)
            case CauseQuarantined(cause_id=cause):
                self._unseen.pop(cause, None)
            case _:
                pass

    def _order(self, landed: Landed, order: Order) -> None:
        policy = landed.stored.commit.entity.id
        before = self._last.get(policy, 0)
        if order.number != before + 1:
            what = f"it gave order {order.number} after order {before}"
            self.broken(landed.entity, landed.sequence, what)
        self._last[policy] = max(before, order.number)
        self._open[policy, order.number] = _Ordered(order, landed.sequence)

    def _fail(self, landed: Landed, event_id: str) -> None:
        if landed.entity not in self._failed:
            self._failed[landed.entity] = event_id
            self._unseen[event_id] = (landed.entity, landed.sequence)

    def _see(self, landed: Landed, cause: str) -> None:
        if cause in self._seen:
            self.broken(landed.entity, landed.sequence, f"it saw the failure {cause} twice")
        self._seen.add(cause)
        if self._unseen.pop(cause, None) is not None:
            self.exercise(FAILURES)

    def end(self, now: datetime) -> None:
        """What is open now has no outcome, unless its target is parked."""
        for (policy, number), ordered in self._open.items():
            if not self._is_parked(EntityAddress.parse(ordered.order.target)):
                what = f"its order {number} ({ordered.order.command}) has no outcome"
                self.broken(f"policy/{policy}", ordered.sequence, what)
        if not self._is_parked(EntityAddress("policy", "correlate")):
            for event_id, (service, sequence) in self._unseen.items():
                self.broken(service, sequence, f"no policy saw its failure {event_id}")
        for address, follower in self._followers.items():
            if self._is_parked(address) or not (follower.has_started or self._is_placed(address)):
                continue
            for cause in follower.left(now):
                self._passed_over(address, cause, cause.position.sequence)

    def _is_placed(self, policy: EntityAddress) -> bool:
        """Say whether a host was to run a policy, so that it had to start."""
        placement = self.folding.states.get(PLACEMENT_ADDRESS, Placement())
        return any(ownership_of(placement, host).owns(policy) for host in placement.hosts)

    def _is_parked(self, entity: EntityAddress) -> bool:
        return entity in self.folding.parked or entity in self.folding.unreadable
