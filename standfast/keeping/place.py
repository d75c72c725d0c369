"""Where a log is kept: its server is reached, also where nothing of Standfast ever ran."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from effects.recovery.process import ChildProcesses
from events.build import build_id
from events.commit import Author
from events.streams import StreamLimits
from projections.database import open_reader, sqlite_path
from projections.positions import read_positions
from standfast.paths import StateDirectory
from standfast.running import pid_of
from standfast.runtime import Situation
from standfast.session import reach_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client


@dataclass(frozen=True, slots=True)
class Place:
    """A state directory and the server of its log. Without a situation nothing ever ran there."""

    directory: StateDirectory
    client: Client
    situation: Situation | None
    is_running: bool

    @property
    def limits(self) -> StreamLimits:
        """The limits of the log's streams."""
        return self.situation.configuration.log.limits() if self.situation else StreamLimits()

    @property
    def author(self) -> Author:
        """By what and where commits are made."""
        if self.situation is None:
            return Author("main", "local", build_id())
        runtime = self.situation.runtime
        return Author(runtime.platform, runtime.cell, build_id())

    @property
    def given_up(self) -> Path:
        """Where it is kept what restores gave up."""
        return self.directory.root / "given-up"

    @property
    def projections_url(self) -> str:
        """Where the projections are, or will be."""
        if self.situation is not None:
            return self.situation.projections_url
        return f"sqlite:///{self.directory.projections}"

    @property
    def has_projector(self) -> bool:
        """Say whether a projector runs, which begins anew by itself."""
        children = ChildProcesses(self.directory.processes)
        return pid_of(children, "projector") is not None

    def newest_generation(self, log_id: str) -> int:
        """Give the highest generation of a log that the projections remember, 0 for none."""
        path = sqlite_path(self.projections_url)
        if path is not None and not path.exists():
            return 0
        engine = open_reader(self.projections_url)
        try:
            with engine.connect() as connection:
                held = read_positions(connection).values()
        except SQLAlchemyError:
            return 0
        finally:
            engine.dispose()
        mine = [one.position for one in held if one.position.log_id == log_id]
        return max((position.generation for position in mine), default=0)


@asynccontextmanager
async def open_place(root: Path) -> AsyncIterator[Place]:
    """Reach the log's server. Raises `NotRunningError` where that is not possible."""
    directory = StateDirectory.make(root)
    situation = None
    if directory.runtime.exists():
        situation = Situation.read(directory)
    async with reach_server(directory, situation) as (client, is_running):
        yield Place(directory, client, situation, is_running)
