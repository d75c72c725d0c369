"""The runner: it follows the log, and rows and position move together, whatever is killed when."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from events.reader import Start
from events.subjects import STATE_SUBJECTS
from projections.beside import clear_beside, open_beside, swap, unlike_beside
from projections.catalogue import PROJECTIONS
from projections.database import WriterLock, open_writer
from projections.given_up import enter_life
from projections.intake import chunks, read_commit
from projections.journal import JOURNAL_PROJECTION
from projections.lost import keep_lost, lost_since, newest_commits, not_held
from projections.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from events.base import Position
    from events.log import Log
    from events.reader import Message
    from projections.base import Projection, ReadCommit
    from projections.positions import Held

    Committed = Callable[[Position], Awaitable[None]]
    Progress = Callable[[int, int], Awaitable[None]]


T = TypeVar("T")


async def ignore_position(_position: Position) -> None:
    """Tell nobody."""


async def ignore_progress(_done: int, _total: int) -> None:
    """Tell nobody."""


class Runner:
    """Keeps projections of one log in one database. Only one runner may have a database."""

    def __init__(self, log: Log, url: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        """Prepare to keep projections of a log in the database of a URL."""
        self._log = log
        self._url = url
        self._lock = WriterLock(url)
        self._writing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="projections")
        self._projections = tuple(projections)
        self._store: Store | None = None
        self.sequence = 0

    @property
    def store(self) -> Store:
        """The live store; there is one once the runner was opened."""
        assert self._store is not None, "the runner is not open"
        return self._store

    async def open(self) -> None:
        """Take the database, clean up, and build anew what is of another life or version.

        Raises `AlreadyWrittenError` where another process writes it.
        """
        await self._in_thread(self._lock.acquire)
        self._store = Store(open_writer(self._url), self._projections)
        await self._in_thread(clear_beside, self._url, self.store.engine)
        await self._in_thread(self.store.create)
        held = await self._in_thread(self.store.positions)
        head = await self._log.head_sequence()
        has_lost = await self._keep_what_is_lost(held)
        stale = [
            p
            for p in self._projections
            if p.name in held and (has_lost or self._stale(p, held, head))
        ]
        self.sequence = self._first(held, stale)
        if stale:
            await self.rebuild([projection.name for projection in stale])

    async def _keep_what_is_lost(self, held: dict[str, Held]) -> bool:
        """Say whether the log has lost commits that were taken in; they are written down first."""
        mine = held.get(JOURNAL_PROJECTION.name)
        await self._in_thread(enter_life, self.store.engine, self._log.identity, mine)
        if mine is None or self._log.identity.place_of(mine.position) is None:
            return False
        newest = await self._in_thread(newest_commits, self.store.engine)
        lost = await lost_since(self._log, newest)
        await self._in_thread(keep_lost, self.store.engine, lost)
        return bool(lost)

    async def _keep_what_is_unlike(self) -> None:
        """Write down what was taken in and the log does not hold any more, before it is replaced.

        The log is asked again: what this build can't read is not lost.
        """
        held = (await self._in_thread(self.store.positions)).get(JOURNAL_PROJECTION.name)
        log = self._log.identity
        if held is None or held.position.log_id != log.log_id:
            return
        shared = dict(log.shared).get(held.position.generation, 0)
        last = log.place_of(held.position)
        unlike = await self._in_thread(unlike_beside, self._url, shared if last is None else last)
        await self._in_thread(keep_lost, self.store.engine, await not_held(self._log, unlike))

    async def close(self) -> None:
        """Let the database go."""
        async with self._writing:
            if self._store is not None:
                self._store.engine.dispose()
            self._lock.release()
            self._thread.shutdown()

    async def run(self, committed: Committed = ignore_position) -> None:
        """Follow the log until cancelled; `committed` is told each position that was reached."""
        start = Start(self.sequence + 1)
        async for batch in self._log.follow([STATE_SUBJECTS], start):
            for chunk in chunks(self._read(batch)):
                await self._apply(chunk)
                await committed(self._log.position(self.sequence))

    async def touch(self) -> None:
        """Write what is written already: proof that the database takes it."""
        async with self._writing:
            await self._in_thread(self.store.touch)

    async def catch_up(self) -> None:
        """Take in all there is in the log now, and return."""
        start = Start(self.sequence + 1)
        async for batch in self._log.read([STATE_SUBJECTS], start):
            for chunk in chunks(self._read(batch)):
                await self._apply(chunk)

    async def rebuild(self, names: Iterable[str], progress: Progress = ignore_progress) -> Position:
        """Build projections anew beside the live ones, then swap. Gives the position reached.

        `progress` is told the sequence reached and the one to reach, now and then.
        """
        chosen = [p for p in self._projections if p.name in set(names)]
        with open_beside(self._url, chosen) as beside:
            builder = Builder(self._log, beside, self._thread)
            head = await self._log.head_sequence()
            await builder.build(head, progress)
            async with self._writing:
                await builder.build(max(head, self.sequence), progress)
                if JOURNAL_PROJECTION in chosen:
                    await self._keep_what_is_unlike()
                await self._in_thread(swap, self._url, self.store, beside)
        return self._log.position(builder.sequence)

    def _read(self, batch: Sequence[Message]) -> list[ReadCommit]:
        return [read_commit(self._log, message) for message in batch]

    async def _apply(self, chunk: Sequence[ReadCommit]) -> None:
        through = chunk[-1].position
        async with self._writing:
            await self._in_thread(self.store.apply, chunk, through)
            self.sequence = through.sequence

    def _stale(self, projection: Projection, held: dict[str, Held], head: int) -> bool:
        """Say whether rows are of another life of the log, of its lost end, or another version."""
        mine = held[projection.name]
        place = self._log.identity.place_of(mine.position)
        return place is None or place > head or mine.version != projection.version

    def _first(self, held: dict[str, Held], stale: Sequence[Projection]) -> int:
        """Give the sequence that all projections have, once the stale ones are built anew."""
        fresh = [p.name for p in self._projections if p not in stale]
        reached = [held[name].position.sequence if name in held else 0 for name in fresh]
        return min(reached, default=0)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Work on the database in its own thread, so that the loop answers meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


class Builder:
    """Builds the rows of a store from the log's beginning, up to a sequence."""

    def __init__(self, log: Log, store: Store, thread: ThreadPoolExecutor) -> None:
        """Build an empty store, its writing done in a thread."""
        self._log = log
        self._store = store
        self._thread = thread
        self.sequence = 0

    async def build(self, until: int, progress: Progress = ignore_progress) -> None:
        """Go on up to a sequence."""
        loop = asyncio.get_running_loop()
        start = Start(self.sequence + 1)
        async for batch in self._log.read([STATE_SUBJECTS], start, until):
            commits = [read_commit(self._log, message) for message in batch]
            for chunk in chunks(commits):
                through = chunk[-1].position
                await loop.run_in_executor(self._thread, self._store.apply, chunk, through)
                self.sequence = through.sequence
                await progress(self.sequence, until)
        through = self._log.position(max(self.sequence, until))
        await loop.run_in_executor(self._thread, self._store.apply, [], through)
        self.sequence = through.sequence
