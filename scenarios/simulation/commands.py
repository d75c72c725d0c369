"""Commands whose fate is written down: when each was given, and what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from actors.runtime.commands import CommandClient, NoAnswerError
from events.ids import new_id

if TYPE_CHECKING:
    from actors.base import Command
    from actors.runtime.commands import Answer
    from events.address import EntityAddress
    from scenarios.simulation.record import Record


class RecordedCommands(CommandClient):
    """The real client of commands, watched."""

    def __init__(self, client: object, principal: str, record: Record) -> None:
        source = f"/standfast/{principal.partition(':')[2]}"
        super().__init__(cast("Any", client), principal=principal, source=source)
        self._record = record

    async def send(self, entity: EntityAddress, command: Command, **options: Any) -> Answer:
        """Send a command as the real client does."""
        command_id = options.pop("command_id", None) or new_id()
        self._record.invoked(command_id, entity, type(command).__name__)
        try:
            answer = await super().send(entity, command, command_id=command_id, **options)
        except NoAnswerError:
            self._record.unanswered(command_id)
            raise
        self._record.answered(command_id, answer)
        return answer
