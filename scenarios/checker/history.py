"""Second: one history for each entity, and its fold is the state, in memory and rebuilt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from actors.deciders import decider_for
from actors.placement import Placement
from actors.runtime.ownership import PLACEMENT_ADDRESS, ownership_of
from events.address import EntityAddress
from events.commit import Head
from scenarios.checker.invariant import Invariant
from scenarios.checker.records import SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scenarios.checker.invariant import Landed
    from scenarios.checker.records import KnownState

CHAIN, MARKS = "chain", "marks"


@dataclass(slots=True)
class History(Invariant):
    """Follows each entity's chain, its policies' marks, and compares states at the end."""

    name: ClassVar[str] = "history"
    claims: ClassVar[tuple[str, ...]] = (CHAIN, MARKS, *SOURCES)
    _heads: dict[EntityAddress, Head] = field(default_factory=dict)
    _marks: dict[EntityAddress, dict[str, int]] = field(default_factory=dict)
    _known: list[KnownState] = field(default_factory=list)
    _asked: tuple[str, ...] = ()

    def commit(self, landed: Landed) -> None:
        """Each commit names the one before it, by sequence and digest; marks only rise."""
        commit = landed.stored.commit
        before = self._heads.get(commit.entity, Head())
        self._heads[commit.entity] = landed.stored.head
        if commit.previous != before:
            self.broken(landed.entity, landed.sequence, _fork(commit.previous, before))
        elif before.sequence:
            self.exercise(CHAIN)
        for origin in commit.origins:
            if origin.mark is not None:
                self._mark(landed, origin.mark.policy, origin.mark.number)

    def _mark(self, landed: Landed, policy: str, number: int) -> None:
        marks = self._marks.setdefault(landed.stored.commit.entity, {})
        before = marks.get(policy, 0)
        self.exercise(MARKS)
        if number <= before:
            what = f"order {number} of {policy} was handled after its order {before}"
            self.broken(landed.entity, landed.sequence, what)
        marks[policy] = max(before, number)

    def known(self, state: KnownState) -> None:
        """Keep it until all commits are folded."""
        self._known.append(state)

    def seen(self, state: KnownState) -> None:
        """Compare it at once."""
        self._compare(state)

    def asked(self, hosts: Sequence[str]) -> None:
        """Note who must know all that the placement gave to it."""
        self._asked = tuple(hosts)

    def end(self, now: datetime) -> None:
        """Compare what was known with what the log says."""
        del now
        for state in self._known:
            self._compare(state)
        self._compare_memories()
        self._known.clear()
        for entity, why in self.folding.unreadable.items():
            if entity not in self.folding.parked:
                self.broken(str(entity), 0, f"its history can't be folded: {why}")

    def _compare_memories(self) -> None:
        """Whoever owns an entity knows it, and so does whoever reads the log anew."""
        known: dict[tuple[str, str], set[str]] = {("live", host): set() for host in self._asked}
        for state in self._known:
            known.setdefault((state.source, state.host), set()).add(state.entity)
        placement = self.folding.states.get(PLACEMENT_ADDRESS, Placement())
        owners = {host: ownership_of(placement, host) for host in self._asked}
        for (source, host), entities in known.items():
            if source == "live" and host not in owners:
                continue
            for entity, head in self._heads.items():
                is_meant = source != "live" or owners[host].owns(entity)
                if is_meant and str(entity) not in entities:
                    what = f"{host or source} does not know it"
                    self.broken(str(entity), head.sequence, what)

    def _compare(self, state: KnownState) -> None:
        entity = EntityAddress.parse(state.entity)
        head = self._heads.get(entity, Head())
        if (state.sequence, state.digest) != (head.sequence, head.digest.hex()):
            what = f"its {state.source} state is as of {state.sequence}, its log ends elsewhere"
            self.broken(state.entity, head.sequence, what)
            return
        if entity in self.folding.parked or entity in self.folding.unreadable:
            return
        self.exercise(state.source)
        if not self._is_folded(entity, state):
            what = f"its {state.source} state is not what its events lead to"
            self.broken(state.entity, head.sequence, what)
        if dict(state.marks) != self._marks.get(entity, {}):
            what = f"its {state.source} marks of policies are not those of its log"
            self.broken(state.entity, head.sequence, what)

    def _is_folded(self, entity: EntityAddress, state: KnownState) -> bool:
        decider = decider_for(entity)
        try:
            known = decider.states.validate_json(state.state)
        except ValidationError:
            return False
        return bool(known == self.folding.states.get(entity, decider.initial))


def _fork(claimed: Head, before: Head) -> str:
    if claimed.sequence == before.sequence:
        return f"it follows another {claimed.sequence} than the one that is there"
    return f"it follows {claimed.sequence or 'nothing'}, but {before.sequence or 'nothing'} is last"
