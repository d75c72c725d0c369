"""The door of a host: where commands arrive. It changes without what stays being unheard."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.deciders import UnknownKindError, decider_for
from actors.runtime.commands import (
    OTHER_GENERATION,
    Answer,
    BadRequestError,
    Outcome,
    decode_request,
    respond,
)
from actors.runtime.letters import Letter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from actors.runtime.commands import Request
    from actors.runtime.host import Host
    from events.address import EntityAddress

CLOSE_SECONDS = 2.0


@dataclass(slots=True)
class Door:
    """Hears the commands that are sent under some subjects, and puts them into mailboxes."""

    host: Host
    _heard: dict[str, Subscription] = field(default_factory=dict)
    _is_changing: bool = False

    async def hear_only(self, subjects: Iterable[str]) -> None:
        """Hear these subjects and no others. New ones are heard before old ones are not.

        What was sent under the old ones until then is still answered.
        """
        self._is_changing = True
        client, wanted = self.host.log.client, set(subjects)
        for subject in sorted(wanted - self._heard.keys()):
            self._heard[subject] = await client.subscribe(subject, cb=self._receive)
        await client.flush()
        left = [self._heard.pop(subject) for subject in self._heard.keys() - wanted]
        await asyncio.gather(*map(_leave, left))
        self._is_changing = False

    async def close(self) -> None:
        """Hear nothing any more, at once."""
        while self._heard:
            _, subscription = self._heard.popitem()
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _receive(self, message: Msg) -> None:
        """Take a command; what is not owned is left to its owner to answer."""
        try:
            request = decode_request(message.data)
            decider_for(request.entity)
            if not self.host.ownership.owns(request.entity):
                await self._turn_away(message, request.entity)
            elif request.generation not in (0, self.host.log.identity.generation):
                await respond(message, OTHER_GENERATION)
            else:
                self._submit(request, message)
        except (BadRequestError, UnknownKindError) as error:
            await respond(message, Answer(Outcome.INVALID, str(error)))

    def _submit(self, request: Request, message: Msg) -> None:
        def answer(given: Answer) -> None:
            self.host.crew.spawn(respond(message, given))

        letter = Letter(request.command, request.arguments, request.origin, answer)
        mailroom = self.host.mailroom
        mailroom.submit(mailroom.entity(request.entity), letter)

    async def _turn_away(self, message: Msg, address: EntityAddress) -> None:
        """Have what came to a bucket that is being left sent again, to its new owner.

        One that is hosted by itself is answered for by its host.
        """
        is_left = not self.host.ownership.owns_bucket(address.kind, address.bucket)
        if self._is_changing and is_left:
            await respond(message, Answer(Outcome.BUSY, "another host owns it"))


async def _leave(subscription: Subscription) -> None:
    with contextlib.suppress(NatsError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await subscription.drain()  # type: ignore[no-untyped-call]
