"""A message as a subscription's callback gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.simulation.client import SimulatedClient

NO_RESPONDERS = {"Status": "503"}


@dataclass(slots=True)
class Message:
    """A message as a callback gets it."""

    client: SimulatedClient
    subject: str
    reply: str
    data: Any
    headers: dict[str, str] | None = None

    async def respond(self, data: bytes) -> None:
        """Answer it."""
        await self.client.publish(self.reply, data)
