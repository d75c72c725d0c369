"""People: they acknowledge, allow, refuse and stop now and then, as the seed says."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.alert import AcknowledgeAlert
from actors.recovery import ApproveRecovery, CancelRecovery, RejectRecovery
from actors.runtime.commands import NoAnswerError
from scenarios.simulation.commands import RecordedCommands

if TYPE_CHECKING:
    from random import Random

    from actors.base import Command
    from events.address import EntityAddress
    from events.commit import Commit
    from scenarios.simulation.cluster import Life
    from scenarios.simulation.record import Record

ACKNOWLEDGE_SHARE = 0.4
APPROVE_SHARE, REJECT_SHARE = 0.7, 0.15
CANCEL_SHARE = 0.05
THINK_SECONDS = (2.0, 600.0)


@dataclass(slots=True)
class People:
    """Persons who read what happens, and sometimes do something about it."""

    life: Life
    chance: Random
    record: Record

    def read(self, commit: Commit) -> None:
        """Learn of a commit."""
        for fact in commit.facts:
            match fact.type:
                case "standfast.alert.fired.v1" if self._is(ACKNOWLEDGE_SHARE):
                    self._give(commit.entity, AcknowledgeAlert(by="ann"))
                case "standfast.recovery.planned.v1" if fact.data["mode"] == "approval":
                    self._decide(commit.entity)
                case "standfast.recovery.planned.v1" if self._is(CANCEL_SHARE):
                    wish = CancelRecovery(by="ann", reason="I do it myself")
                    self._give(commit.entity, wish)
                case _:
                    pass

    def _decide(self, recovery: EntityAddress) -> None:
        draw = self.chance.random()
        if draw < APPROVE_SHARE:
            self._give(recovery, ApproveRecovery(by="ann"))
        elif draw < APPROVE_SHARE + REJECT_SHARE:
            self._give(recovery, RejectRecovery(by="ann", reason="not now"))

    def _is(self, share: float) -> bool:
        return self.chance.random() < share

    def _give(self, entity: EntityAddress, command: Command) -> None:
        seconds = self.chance.uniform(*THINK_SECONDS)
        self.life.process.start(self._send_later(seconds, entity, command))

    async def _send_later(self, seconds: float, entity: EntityAddress, command: Command) -> None:
        await asyncio.sleep(seconds)
        commands = RecordedCommands(self.life.client, "person:ann", self.record)
        with contextlib.suppress(NoAnswerError):
            await commands.send(entity, command)
