"""Draining a mailbox: decide, append, evolve, answer. Nothing is answered before it is stored.

What is declined is stored, too: another host that has a copy of the command must not carry it out.
What stores nothing, as a command that changes nothing, is answered when the log's leader has said
that the state it rests on is the newest: a host that was taken for dead must not answer by its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.runtime.commands import Answer, Outcome
from actors.runtime.entity import NOTED, Wished
from actors.runtime.letters import RELEASE, Draft, Letter, draft_commit
from events.commit import Author, Commit
from events.ids import new_id
from events.log import (
    CommitTooLargeError,
    ConflictError,
    Log,
    LogFullError,
    LogLostEndError,
    LogUnavailableError,
)
from events.subjects import state_subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from actors.runtime.entity import Entity
    from actors.runtime.store import Store

LETTERS_MAX = 256
CONFLICTS_MAX = 3
_BY_STATE = frozenset({Outcome.UNCHANGED, Outcome.PARKED})


class BucketLostError(Exception):
    """Another writer was first, three times in a row or after we left: the bucket is not ours."""

    def __init__(self, entity: Entity) -> None:
        """Say over which entity it was lost."""
        super().__init__(f"lost {entity.address} to another writer")
        self.entity = entity


@dataclass(slots=True)
class Drainer:
    """Turns letters into commits, one entity and one commit at a time.

    `changed(entity)` is called after each commit, with the entity evolved, and after the entity
    was read again: what follows from its state follows anew.
    """

    log: Log
    store: Store
    author: Author
    clock: Callable[[], datetime]
    changed: Callable[[Entity], None]

    async def drain(self, entity: Entity) -> None:
        """Handle all that is in the mailbox, and what arrives meanwhile.

        Raises `BucketLostError` after giving every letter its answer.
        """
        while entity.mailbox:
            count = min(len(entity.mailbox), LETTERS_MAX)
            letters = [entity.mailbox.popleft() for _ in range(count)]
            try:
                await self._handle(entity, letters)
            except BucketLostError:
                _answer_all(letters, "another host owns it")
                entity.refuse("another host owns it")
                raise

    async def _handle(self, entity: Entity, letters: list[Letter]) -> bool:
        """Handle letters as one commit, or as few as fit. False when the log failed."""
        try:
            while True:
                try:
                    await self._attempt(entity, letters)
                except ConflictError:
                    await self._lost_a_race(entity)
                    continue
                return True
        except CommitTooLargeError as error:
            return await self._split(entity, letters, str(error))
        except (LogUnavailableError, LogFullError) as error:
            entity.stale = True
            _answer_all(letters, f"the log can't be written: {error}")
            return False

    async def _attempt(self, entity: Entity, letters: list[Letter]) -> None:
        if entity.stale or (entity.quarantine and any(one.name == RELEASE for one in letters)):
            await self._reload(entity)
        draft = draft_commit(entity, letters, self.clock())
        if draft.facts:
            await self._commit(entity, draft)
        elif any(map(_rests_on_state, draft.answers)):
            await self._confirm(entity)
        for letter, answer in draft.answers:
            sequence = answer.sequence or entity.head.sequence
            letter.answer(Answer(answer.outcome, answer.message, sequence))

    async def _commit(self, entity: Entity, draft: Draft) -> None:
        commit = Commit(
            id=new_id(),
            entity=entity.address,
            previous=entity.head,
            decided=self.clock(),
            author=self.author,
            origins=tuple(draft.origins),
            facts=tuple(draft.facts),
        )
        entity.head = await self.log.append(commit)
        entity.conflicts = 0  # only an own commit ends a row of lost races
        entity.state = draft.state
        for origin in draft.origins:
            entity.remember(origin, draft.refusal_of(origin))
        for index, event in enumerate(draft.events):
            if type(event) in NOTED:
                origin = draft.origins[draft.facts[index].origin]
                place = Wished(entity.head.sequence, f"{commit.id}.{index}", origin.correlation_id)
                entity.note(event, place)
        self.changed(entity)

    async def _confirm(self, entity: Entity) -> None:
        """See that nobody else wrote: no fence guards an answer that commits nothing."""
        newest = await self.log.last_message(state_subject(entity.address))
        actual = 0 if newest is None else int(newest.seq or 0)
        if actual != entity.head.sequence:
            raise ConflictError(entity.address, entity.head.sequence, actual)

    async def _lost_a_race(self, entity: Entity) -> None:
        entity.conflicts += 1
        if entity.left or entity.conflicts >= CONFLICTS_MAX:
            raise BucketLostError(entity)
        await self._reload(entity)

    async def _reload(self, entity: Entity) -> None:
        known = entity.head.sequence
        try:
            await self.store.reload(entity)
        except LogUnavailableError:
            raise
        except Exception as error:
            message = f"{entity.address} can't be read: {error}"
            raise LogUnavailableError(message) from error
        if entity.head.sequence < known:  # what was acknowledged is gone: much else may be, too
            raise LogLostEndError(str(entity.address), known, entity.head.sequence)
        self.changed(entity)

    async def _split(self, entity: Entity, letters: list[Letter], error: str) -> bool:
        """Handle halves of what is too large together; in order, and none after a failure."""
        if len(letters) == 1:
            letters[0].refusal = f"its facts are too large: {error}"
            return await self._handle(entity, letters)
        middle = len(letters) // 2
        if await self._handle(entity, letters[:middle]):
            return await self._handle(entity, letters[middle:])
        _answer_all(letters[middle:], "the log can't be written")
        return False


def _rests_on_state(answered: tuple[Letter, Answer]) -> bool:
    """Say whether somebody outside is told what would be untrue of a state that is not the newest.

    What the host itself asked is asked again when that is read.
    """
    letter, answer = answered
    return letter.command is None and answer.outcome in _BY_STATE


def _answer_all(letters: list[Letter], message: str) -> None:
    for letter in letters:
        letter.answer(Answer(Outcome.BUSY, message))
