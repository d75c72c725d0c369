"""Letters in an entity's mailbox, and the pure step from letters to a draft of one commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from pydantic import ValidationError

from actors.base import Command, Declined
from actors.runtime.commands import Answer, Outcome
from events.commit import Fact, fact_of
from events.entity import CommandDeclined, EntityParked, EntityReleased

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from actors.runtime.entity import Entity
    from events.base import Event, Origin

RELEASE = "ReleaseEntity"
PARK = "ParkEntity"
NOTHING_CHANGES = "nothing changes"
ERROR_CHARACTERS_MAX = 500


class ReleaseEntity(Command):
    """Release an entity from quarantine; its history is read again."""

    reason: str


class ParkEntity(Command):
    """Commit that an entity's history can't be read; only the host itself gives this command."""


@dataclass(slots=True)
class Letter:
    """A command in the mailbox. `command` is set where it comes from the host itself.

    `refusal` is set where it was tried and can't be: why, in words for whoever sent it.
    """

    name: str
    arguments: dict[str, Any]
    origin: Origin
    answer: Callable[[Answer], None]
    command: Command | None = None
    refusal: str = ""


@dataclass(slots=True)
class Draft:
    """What a drain decided: the facts to commit, and the answers to give when they are.

    `handled` says of each command why it was declined, or "".
    """

    state: Any
    origins: list[Origin] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answers: list[tuple[Letter, Answer]] = field(default_factory=list)
    handled: dict[tuple[str, object], str] = field(default_factory=dict)
    parked: EntityParked | None = None

    def record(self, origin: Origin, events: Sequence[Event], refusal: str = "") -> None:
        """Add the events of one command."""
        self.facts.extend(fact_of(event, len(self.origins)) for event in events)
        self.events.extend(events)
        self.origins.append(origin)
        self.handled[_key(origin)] = refusal

    def decline(self, letter: Letter, reason: str) -> None:
        """Put on record that a command is declined: no copy of it is carried out elsewhere."""
        declined = CommandDeclined(command=letter.name, reason=reason)
        self.record(letter.origin, [declined], reason)

    def refusal_of(self, origin: Origin) -> str:
        """Give why a command that it handled was declined, or ""."""
        return self.handled.get(_key(origin), "")


def draft_commit(entity: Entity, letters: Sequence[Letter], now: datetime) -> Draft:
    """Decide letters one after the other, each on the state the ones before it lead to."""
    draft = Draft(entity.state)
    for letter in letters:
        draft.answers.append((letter, _handle(entity, letter, draft, now)))
    return draft


def _handle(entity: Entity, letter: Letter, draft: Draft, now: datetime) -> Answer:
    if entity.has_handled(letter.origin) or _key(letter.origin) in draft.handled:
        refusal = draft.refusal_of(letter.origin) or entity.refusal_of(letter.origin)
        return Answer(Outcome.DECLINED, refusal) if refusal else Answer(Outcome.DUPLICATE)
    quarantine = draft.parked or entity.quarantine
    if letter.name == RELEASE:
        return _release(letter, draft, quarantine)
    if letter.name == PARK and letter.command is not None:
        return _park_unreadable(entity, letter, draft)
    if quarantine is not None:
        return Answer(Outcome.PARKED, f"parked: {quarantine.error}", quarantine.sequence)
    if letter.refusal:
        return _refuse(letter, letter.refusal, draft)
    try:
        command = letter.command or _read_command(entity, letter)
    except _InvalidCommandError as error:
        return _refuse(letter, str(error), draft)
    return _decide(entity, letter, command, draft, now)


def _decide(
    entity: Entity, letter: Letter, command: Command, draft: Draft, now: datetime
) -> Answer:
    where = "decide"
    try:
        decision = entity.decider.decide(draft.state, command, now)
        if isinstance(decision, Declined) or not decision:
            return _nothing(letter, decision, draft)
        where, state = "evolve", draft.state
        for event in decision:
            state = entity.evolved(state, event)
    except Exception as error:  # noqa: BLE001  (any error parks this one entity)
        return _park(letter, where, error, draft)
    draft.state = state
    draft.record(letter.origin, decision)
    return Answer(Outcome.DONE)


def _nothing(letter: Letter, decision: list[Event] | Declined, draft: Draft) -> Answer:
    """Answer that nothing follows; what was ordered, or is declined from outside, is on record."""
    if isinstance(decision, Declined):
        if letter.origin.mark is not None or letter.command is None:
            draft.decline(letter, decision.reason)
        return Answer(Outcome.DECLINED, decision.reason)
    if letter.origin.mark is not None:
        draft.decline(letter, NOTHING_CHANGES)
    return Answer(Outcome.UNCHANGED, NOTHING_CHANGES)


def _refuse(letter: Letter, reason: str, draft: Draft) -> Answer:
    """Answer that it can't be; what a policy ordered, or an event caused, is kept on record."""
    if letter.origin.mark is not None or letter.origin.causation_id is not None:
        draft.decline(letter, reason)
    return Answer(Outcome.INVALID, reason)


def _park(letter: Letter, where: str, error: Exception, draft: Draft) -> Answer:
    text = f"{letter.name}: {type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]
    draft.parked = EntityParked(error=text, where=where, sequence=0)
    draft.record(_unhandled(letter.origin), [draft.parked])
    return Answer(Outcome.PARKED, f"parked: {text}")


def _unhandled(origin: Origin) -> Origin:
    """Give an origin by which the command does not count as handled: it may come again."""
    return replace(origin, command_id=f"{origin.command_id}.parked", mark=None)


def _release(letter: Letter, draft: Draft, quarantine: EntityParked | None) -> Answer:
    if quarantine is None:
        return Answer(Outcome.UNCHANGED, "it is not parked")
    reason = str(letter.arguments.get("reason", ""))[:ERROR_CHARACTERS_MAX]
    draft.record(letter.origin, [EntityReleased(reason=reason)])
    draft.parked = None
    return Answer(Outcome.DONE)


def _park_unreadable(entity: Entity, letter: Letter, draft: Draft) -> Answer:
    """Commit that the history can't be read, unless that is committed already."""
    if entity.unreadable is None or entity.parked is not None:
        return Answer(Outcome.UNCHANGED)
    draft.record(letter.origin, [entity.unreadable])
    return Answer(Outcome.DONE)


class _InvalidCommandError(ValueError):
    """The command is not one that the entity knows, or its arguments don't fit."""


def _read_command(entity: Entity, letter: Letter) -> Command:
    known = {command.__name__: command for command in entity.decider.commands}
    if letter.name not in known:
        names = ", ".join(sorted(known)) or "none from outside"
        message = f"{entity.address} knows no command {letter.name!r}; it knows {names}"
        raise _InvalidCommandError(message)
    try:
        return known[letter.name].model_validate(letter.arguments)
    except ValidationError as error:
        raise _InvalidCommandError(describe(error)) from error


def describe(error: ValidationError) -> str:
    """Say what is wrong where, without repeating what was given: it may be a secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in detail['loc']) or 'arguments'}: {detail['msg']}"
        for detail in error.errors(include_input=False, include_url=False)
    )


def _key(origin: Origin) -> tuple[str, object]:
    if origin.mark is None:
        return ("", origin.command_id)
    return (origin.mark.policy, origin.mark.number)
