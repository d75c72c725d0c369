"""What a host is asked by name: to describe itself, to rehearse a share, to hand one over."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgpack
from nats.errors import Error as NatsError

from actors.runtime.description import describe_host
from actors.runtime.known_states import STATES, states_of
from actors.runtime.moving import HAND_OVER, REHEARSE, Share
from events.subjects import control_subject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from actors.runtime.host import Host

ERROR_CHARACTERS_MAX = 500


@dataclass(slots=True)
class Control:
    """Answers requests to one host; an error in one of them is its answer, and hurts nothing."""

    host: Host
    _subscriptions: list[Subscription] = field(default_factory=list)

    async def open(self) -> None:
        """Listen under the host's name."""
        answers = {
            "describe": self._describe,
            STATES: self._states,
            REHEARSE: self._rehearse,
            HAND_OVER: self._hand_over,
        }
        for verb, answer in answers.items():
            subject = control_subject(self.host.settings.name, verb)
            self._subscriptions.append(await self.host.log.client.subscribe(subject, cb=answer))

    async def close(self) -> None:
        """Answer nothing any more."""
        while self._subscriptions:
            with contextlib.suppress(NatsError, OSError):
                await self._subscriptions.pop().unsubscribe()

    async def _describe(self, message: Msg) -> None:
        await message.respond(describe_host(self.host, message.data))

    async def _states(self, message: Msg) -> None:
        await message.respond(states_of(self.host, message.data))

    async def _rehearse(self, message: Msg) -> None:
        await _answer(message, self._rehearsed)

    async def _rehearsed(self, share: Share) -> dict[str, Any]:
        return {"unreadable": await self.host.rehearsals.rehearse(share)}

    async def _hand_over(self, message: Msg) -> None:
        await _answer(message, self._handed_over)

    async def _handed_over(self, share: Share) -> dict[str, Any]:
        await self.host.hand_over(share)
        return {}


async def _answer(message: Msg, work: Callable[[Share], Awaitable[dict[str, Any]]]) -> None:
    try:
        answer = await work(Share.decode(message.data))
    except Exception as error:  # noqa: BLE001  (who asked decides what it means)
        answer = {"error": f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]}
    with contextlib.suppress(NatsError, OSError):
        await message.respond(bytes(msgpack.packb(answer)))
