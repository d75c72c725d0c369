"""First: no acknowledged commit is lost, doubled or moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from events.entity import CommandDeclined, EntityParked
from scenarios.checker.invariant import Invariant

if TYPE_CHECKING:
    from datetime import datetime

    from scenarios.checker.invariant import Landed
    from scenarios.checker.records import Invoked, Returned

DONE, DUPLICATE, UNCHANGED, DECLINED = "done", "duplicate", "unchanged", "declined"
ACCEPTED, REFUSED, UNCHANGING, IN_ORDER = "accepted", "refused", "unchanging", "in order"
_REFUSALS = frozenset({CommandDeclined.type, EntityParked.type})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command's facts are, and whether they only say that it was refused."""

    entity: str
    sequence: int
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class _Question:
    """Of whom a worker asked something, and the highest sequence it knew of there by then.

    What is asked again, for want of an answer, was asked when it was asked first.
    """

    entity: str
    worker: str
    known: int


@dataclass(slots=True)
class Acknowledged(Invariant):
    """Holds every answer against the one commit that has the command's facts.

    What a worker asked for after it was answered something by the same entity comes after that.
    """

    name: ClassVar[str] = "acknowledged"
    claims: ClassVar[tuple[str, ...]] = (ACCEPTED, REFUSED, UNCHANGING, IN_ORDER)
    _next: int = 1
    _places: dict[str, _Place] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)
    _open: dict[str, Returned] = field(default_factory=dict)
    _questions: dict[str, _Question] = field(default_factory=dict)
    _known: dict[tuple[str, str], int] = field(default_factory=dict)

    def commit(self, landed: Landed) -> None:
        """Remember where each command's facts are; they are in one place, and none is missing."""
        if landed.sequence != self._next:
            missing = f"{self._next} to {landed.sequence - 1}"
            self.broken(landed.entity, landed.sequence, f"the log does not hold {missing} any more")
        self._next = landed.sequence + 1
        commit = landed.stored.commit
        refused = {
            index: all(fact.type in _REFUSALS for fact in commit.facts if fact.origin == index)
            for index in range(len(commit.origins))
        }
        for index, origin in enumerate(commit.origins):
            if origin.mark is None:
                self._put(origin.command_id, _Place(landed.entity, landed.sequence, refused[index]))

    def _put(self, command_id: str, place: _Place) -> None:
        before = self._places.setdefault(command_id, place)
        if before is not place and not place.is_refusal:
            done = "declined" if before.is_refusal else "carried out"
            what = f"command {command_id} was {done} at {before.sequence} already"
            self.broken(place.entity, place.sequence, what)
        asked = self._asked.get(command_id, place.entity)
        if asked != place.entity:
            what = f"command {command_id} was asked of {asked}"
            self.broken(place.entity, place.sequence, what)

    def invoked(self, command: Invoked) -> None:
        """Remember of whom it was asked, and what the worker knew of them by then."""
        self._asked[command.command_id] = command.entity
        known = self._known.get((command.worker, command.entity), 0)
        question = _Question(command.entity, command.worker, known)
        self._questions.setdefault(command.command_id, question)
        place = self._places.get(command.command_id)
        if place is not None and place.entity != command.entity:
            what = f"command {command.command_id} was asked of {command.entity}"
            self.broken(place.entity, place.sequence, what)

    def returned(self, answer: Returned) -> None:
        """Hold the answer against the log, now or when its commit is read."""
        if answer.kind == "unknown":
            return
        self._order(answer)
        if answer.command_id in self._places:
            self._compare(answer)
        else:
            self._open[answer.command_id] = answer

    def _order(self, answer: Returned) -> None:
        """Only an answer that facts were committed says where they are.

        That of a duplicate says how far its entity was by then, which is no less. Where no answer
        came and it was asked again, the facts may be those of its first time.
        """
        question = self._questions.pop(answer.command_id, None)
        if question is None or answer.outcome not in (DONE, DUPLICATE):
            return
        if question.known:
            self.exercise(IN_ORDER)
            if answer.sequence <= question.known:
                command = f"command {answer.command_id} was answered with {answer.sequence}"
                what = f"{command}, and {question.known} was known before it was asked"
                self.broken(question.entity, answer.sequence, what)
        place = (question.worker, question.entity)
        self._known[place] = max(self._known.get(place, 0), answer.sequence)

    def end(self, now: datetime) -> None:
        """What was answered by now has its facts by now, or none."""
        del now
        for answer in self._open.values():
            self._compare(answer)
        self._open.clear()

    def _compare(self, answer: Returned) -> None:
        place = self._places.get(answer.command_id)
        where = self._asked.get(answer.command_id, "an entity")
        command = f"command {answer.command_id}"
        if answer.kind == "fail":
            self.exercise(REFUSED)
            if place is not None and not place.is_refusal:
                self.broken(where, place.sequence, f"{command} was refused and carried out")
            if place is None and answer.outcome == DECLINED:
                self.broken(where, 0, f"{command} was declined, and the log does not say so")
            return
        if answer.outcome == UNCHANGED:
            self.exercise(UNCHANGING)
            if place is not None:
                self.broken(where, place.sequence, f"{command} changed something after all")
            return
        self.exercise(ACCEPTED)
        if place is None:
            what = f"{command} was acknowledged and is not in the log"
            self.broken(where, answer.sequence, what)
        elif answer.outcome == DONE and place.sequence != answer.sequence:
            what = f"{command} was acknowledged at {answer.sequence} and is at {place.sequence}"
            self.broken(where, place.sequence, what)
