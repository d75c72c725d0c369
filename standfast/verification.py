"""The whole log is read once, in order, and every commit is held against what must be true of it.

A commit may be damaged or gone in ways that a server does not tell: it drops a message whose
checksum fails, and may even cut a stream off there. So what is missing is found three ways: by
gaps in the sequence, by each entity's chain, and by the copy that the projections keep.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from events.address import InvalidAddressError
from events.commit import DIGEST_HEADER, Head, UnreadableCommitError, digest_of
from events.reader import OrderedReader, Start
from events.subjects import STATE_SUBJECTS, entity_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from events.commit import StoredCommit
    from events.log import Log
    from events.reader import Message
    from standfast.kept_copy import KeptCopy

BAD_MAX = 100
SILENCE_SECONDS = 2.0
PRESENT_LOOKS_MAX = 10_000

What = Literal["changed", "missing", "broken", "unreadable"]


@dataclass(frozen=True, slots=True)
class Bad:
    """One sequence that is not as it must be, whose it is where that is known, and why."""

    sequence: int
    what: What
    entity: str
    why: str


@dataclass(slots=True)
class Findings:
    """What was found; only the first hundred are kept, all are counted."""

    head: int = 0
    commits: int = 0
    events: int = 0
    count: int = 0
    bad: list[Bad] = field(default_factory=list)
    _last: int = 0

    def add(self, sequence: int, what: What, entity: str, why: str) -> None:
        """Note a bad sequence, each once; they are found as they rise."""
        if sequence == self._last:
            return
        self._last = sequence
        self.count += 1
        if len(self.bad) < BAD_MAX:
            self.bad.append(Bad(sequence, what, entity, why))


class Verifier:
    """Holds the commits of one log against their digests, chains, places and a kept copy."""

    def __init__(self, log: Log, kept: KeptCopy) -> None:
        """Prepare to read a log; `kept` is what the projections remember of it."""
        self._log = log
        self._commits = Commits(log.stored, kept)

    @property
    def heads(self) -> dict[str, Head]:
        """The end of each entity's chain, as far as was read."""
        return self._commits.heads

    async def run(self, progress: Callable[[float, float], None]) -> Findings:
        """Read everything there is now, and give what is wrong."""
        head = await self._log.head_sequence()
        async with aclosing(read_all(self._log, head)) as batches:
            async for batch in batches:
                for message in batch:
                    self._commits.take(message)
                progress(batch[-1].sequence, head)
                await asyncio.sleep(0)
        return self._commits.finish(head)


class Commits:
    """Commits as they are read one after the other, and what is wrong with them."""

    def __init__(
        self, stored: Callable[[Message], StoredCommit], kept: KeptCopy, after: int = 0
    ) -> None:
        """Prepare to take the commits after a sequence, which `stored` decodes."""
        self._stored = stored
        self._kept = kept
        self._after = after
        self._next = after + 1
        self._lost = {lost.sequence for lost in kept.lost}
        self._missed: set[int] = set()
        self.heads: dict[str, Head] = {}
        self.found = Findings()

    def finish(self, head: int) -> Findings:
        """Say what is missing up to the log's head, and of what the copy remembers."""
        self.found.head = head
        self._miss(head)
        self._miss(self._kept.last)
        for lost in self._kept.lost:
            if lost.sequence in self._missed:
                continue
            why = "the projections took it in, and the log has lost it since"
            self.found.add(lost.sequence, "missing", lost.entity, why)
        return self.found

    def take(self, message: Message) -> None:
        """Check the next commit."""
        self._miss(message.sequence - 1)
        self._next = message.sequence + 1
        self.found.commits += 1
        digest = digest_of(message.payload)
        entity = self._check_copy(message, digest)
        claimed = (message.headers or {}).get(DIGEST_HEADER)
        if claimed != digest.hex():
            why = "its digest is not the one it was stored with"
            self.found.add(message.sequence, "changed", entity, why)
        self._check_content(message, Head(message.sequence, digest))

    def _miss(self, last: int) -> None:
        """Name every sequence that should have come by now, up to one."""
        while self._next <= last:
            kept = self._kept.at(self._next)
            if kept is not None:  # what follows in its chain is not to blame
                self.heads[kept.entity] = Head(kept.sequence, bytes.fromhex(kept.digest))
            entity = kept.entity if kept else ""
            self.found.add(self._next, "missing", entity, "the log does not hold it any more")
            if self._next in self._lost:
                self._missed.add(self._next)
            self._next += 1

    def _check_copy(self, message: Message, digest: bytes) -> str:
        """Hold a commit against the copy of its digest. Gives whose it is."""
        kept = self._kept.at(message.sequence)
        try:
            entity = str(entity_of(message.subject))
        except (InvalidAddressError, ValueError):
            entity = message.subject
        if kept is not None and (kept.entity, kept.digest) != (entity, digest.hex()):
            why = f"the projections took in another commit there, of {kept.entity}"
            self.found.add(message.sequence, "changed", entity, why)
        return entity

    def _check_content(self, message: Message, head: Head) -> None:
        """Check that a commit can be read, and continues its entity's chain."""
        sequence = message.sequence
        try:
            entity = str(entity_of(message.subject))
        except (InvalidAddressError, ValueError) as error:
            self.found.add(sequence, "unreadable", message.subject, str(error))
            return
        before = self.heads.get(entity, Head())
        self.heads[entity] = head
        try:
            stored = self._stored(message)
            self.found.events += sum(1 for _ in stored.envelopes())
        except UnreadableCommitError as error:
            self.found.add(sequence, "unreadable", entity, str(error))
            return
        except ValueError as error:  # an unknown type, or fields that do not fit
            self.found.add(sequence, "unreadable", entity, f"{type(error).__name__}: {error}")
            return
        self._check_chain(stored, entity, before)

    def _check_chain(self, stored: StoredCommit, entity: str, before: Head) -> None:
        previous, sequence = stored.commit.previous, stored.position.sequence
        if before.sequence == 0 and 0 < previous.sequence <= self._after:
            return  # what it follows is not part of what is read
        if previous.sequence != before.sequence:
            why = f"it follows {previous.sequence}, but the one before it is {before.sequence}"
            self.found.add(sequence, "broken", entity, why)
        elif previous.digest != before.digest:
            why = f"it follows another {previous.sequence} than the one that is there"
            self.found.add(sequence, "broken", entity, why)


async def read_all(log: Log, head: int, begin: int = 1) -> AsyncGenerator[list[Message], None]:
    """Give the messages up to a sequence, even where the server holds some back for ever.

    `Log.read` ends at the last message that can be read; here the end itself may be damaged, so
    when nothing comes for a while the rest is asked for one by one.
    """
    while begin <= head:
        reader = OrderedReader(log.client, log.stream, [STATE_SUBJECTS], Start(begin))
        try:
            await reader.open()
            async for batch in _until_silent(reader):
                wanted = [message for message in batch if message.sequence <= head]
                if wanted:
                    yield wanted
                begin = batch[-1].sequence + 1
                if begin > head:
                    return
        finally:
            await reader.close()
        begin = await _next_present(log, begin, head)


async def _until_silent(reader: OrderedReader) -> AsyncIterator[list[Message]]:
    batches = reader.batches()
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                batch = await anext(batches)
        except (TimeoutError, StopAsyncIteration):
            return
        yield batch


async def _next_present(log: Log, begin: int, head: int) -> int:
    """Give the first sequence from `begin` on that is there, or the one after the head."""
    for sequence in range(begin, min(head, begin + PRESENT_LOOKS_MAX) + 1):
        if await log.message(sequence) is not None:
            return sequence
    return head + 1
