"""Entities that their own process writes: the placement, and each host's record of itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.runtime.commands import Answer, Outcome
from actors.runtime.drain import Drainer
from actors.runtime.letters import Letter
from actors.runtime.store import Store
from events.base import Origin
from events.ids import new_id
from events.surroundings import now

if TYPE_CHECKING:
    from actors.base import Command
    from actors.runtime.entity import Entity
    from events.address import EntityAddress
    from events.commit import Author
    from events.log import Log


@dataclass(slots=True)
class SoloWriter:
    """Decides and commits for one entity without a host; the fence guards against a second."""

    log: Log
    author: Author
    principal: str
    entity: Entity
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(
        cls, log: Log, author: Author, principal: str, address: EntityAddress
    ) -> SoloWriter:
        """Read the entity's history."""
        return cls(log, author, principal, await Store(log).load_entity(address))

    async def give(self, command: Command) -> Answer:
        """Carry out a command and give its answer."""
        answers: list[Answer] = []
        letter = Letter(type(command).__name__, {}, self._origin(), answers.append, command=command)
        drainer = Drainer(self.log, Store(self.log), self.author, now, changed=lambda _entity: None)
        async with self._turn:
            self.entity.mailbox.append(letter)
            await drainer.drain(self.entity)
        return answers[0] if answers else Answer(Outcome.BUSY)

    def _origin(self) -> Origin:
        command_id = new_id()
        return Origin(
            command_id=command_id,
            principal=self.principal,
            source=f"/standfast/{self.principal}",
            time=now(),
            correlation_id=command_id,
        )
