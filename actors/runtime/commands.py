"""Commands travel as NATS requests to whoever owns the entity's bucket, and are answered there."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from nats.errors import Error as NatsError

from events.address import EntityAddress
from events.base import Mark, Moment, Origin
from events.ids import new_id
from events.subjects import command_subject
from events.surroundings import now

if TYPE_CHECKING:
    from datetime import datetime

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from actors.base import Command

FORMAT = 1
ANSWER_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
BACKOFF_SECONDS = 0.05
_UNANSWERED = (TimeoutError, NatsError, OSError)


class Outcome(StrEnum):
    """What became of a command."""

    DONE = "done"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    DECLINED = "declined"
    INVALID = "invalid"
    PARKED = "parked"
    BUSY = "busy"


FINAL = frozenset(Outcome) - {Outcome.BUSY}
ACCEPTED = frozenset({Outcome.DONE, Outcome.UNCHANGED, Outcome.DUPLICATE})


class NoAnswerError(Exception):
    """No host answered in time; the command may or may not have been carried out."""


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The answer to a command, given after its commit: `sequence` is where its facts are."""

    outcome: Outcome
    message: str = ""
    sequence: int = 0

    @property
    def accepted(self) -> bool:
        """Say whether the command is done, by this or an earlier delivery."""
        return self.outcome in ACCEPTED


OTHER_GENERATION = Answer(Outcome.BUSY, "the log was restored: sender or host begins anew")


class Request(msgspec.Struct, frozen=True, gc=False):
    """A command on its way: to whom, what, and all that its facts will say of their origin.

    `generation` is the life of the log that it was given in, 0 where that does not matter.
    """

    entity: EntityAddress
    command: str
    arguments: dict[str, Any]
    origin: Origin
    generation: int = 0


class BadRequestError(ValueError):
    """The bytes are not a request of a format that is known here."""


class _Sent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The fields of a request as it travels, in their order."""

    format: int
    entity: str
    command: str
    arguments: dict[str, Any]
    command_id: str
    principal: str
    source: str
    time: Moment
    correlation_id: str
    causation_id: str | None
    on_behalf_of: str | None
    traceparent: str | None
    mark: Mark | None
    generation: int = 0


_REQUESTS = msgspec.msgpack.Decoder(_Sent)
_ANSWERS = msgspec.msgpack.Decoder(Answer)


def encode_request(request: Request) -> bytes:
    """Give the bytes of a request."""
    origin = request.origin
    sent = _Sent(
        FORMAT,
        str(request.entity),
        request.command,
        request.arguments,
        origin.command_id,
        origin.principal,
        origin.source,
        origin.time,
        origin.correlation_id,
        origin.causation_id,
        origin.on_behalf_of,
        origin.traceparent,
        origin.mark,
        request.generation,
    )
    return msgspec.msgpack.encode(sent)


def decode_request(payload: bytes) -> Request:
    """Read the bytes of a request. Raises `BadRequestError`."""
    try:
        sent = _REQUESTS.decode(payload)
        entity = EntityAddress.parse(sent.entity)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        message = f"not a request: {type(error).__name__}: {error}"
        raise BadRequestError(message) from error
    if sent.format != FORMAT:
        message = f"a request of format {sent.format!r}; known here: {FORMAT}"
        raise BadRequestError(message)
    return Request(entity, sent.command, sent.arguments, _origin_of(sent), sent.generation)


def _origin_of(sent: _Sent) -> Origin:
    return Origin(
        sent.command_id,
        sent.principal,
        sent.source,
        sent.time,
        sent.correlation_id,
        sent.causation_id,
        sent.on_behalf_of,
        sent.traceparent,
        sent.mark,
    )


def encode_answer(answer: Answer) -> bytes:
    """Give the bytes of an answer."""
    return msgspec.msgpack.encode(answer)


def decode_answer(payload: bytes) -> Answer:
    """Read the bytes of an answer."""
    return _ANSWERS.decode(payload)


async def respond(message: Msg, answer: Answer) -> None:
    """Answer if the asker can still be reached; it asks again with the same id if not."""
    with contextlib.suppress(NatsError, OSError):
        await message.respond(encode_answer(answer))


class CommandClient:
    """Sends commands for one principal, until they are answered or patience ends."""

    def __init__(self, client: Client, *, principal: str, source: str, generation: int = 0) -> None:
        """Speak for a principal (`person:ann`, `token:ci`, `process:evaluator`) from a source.

        With a `generation` only hosts that are in the same life of the log answer.
        """
        self._client = client
        self._generation = generation
        self._principal = principal
        self._source = source

    async def send(  # noqa: PLR0913  (each is a field of the origin)
        self,
        entity: EntityAddress,
        command: Command,
        *,
        command_id: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        time: datetime | None = None,
        on_behalf_of: str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Answer:
        """Send a command and give its answer. Sending the same `command_id` again is safe.

        Raises `NoAnswerError` when no owner answered within the patience.
        """
        command_id = command_id or new_id()
        origin = Origin(
            command_id=command_id,
            principal=self._principal,
            source=self._source,
            time=time or now(),
            correlation_id=correlation_id or command_id,
            causation_id=causation_id,
            on_behalf_of=on_behalf_of,
        )
        name, arguments = type(command).__name__, command.model_dump()
        request = Request(entity, name, arguments, origin, self._generation)
        return await deliver(self._client, request, patience_seconds)


async def deliver(
    client: Client, request: Request, patience_seconds: float = PATIENCE_SECONDS
) -> Answer:
    """Send a request until an owner gives a final answer. Raises `NoAnswerError`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_seconds
    payload, subject = encode_request(request), command_subject(request.entity)
    delay = BACKOFF_SECONDS
    while True:
        remaining = until - loop.time()
        if remaining <= 0:
            message = f"no host of {request.entity} answered within {patience_seconds:g} s"
            raise NoAnswerError(message)
        try:
            reply = await client.request(subject, payload, min(ANSWER_SECONDS, remaining))
            answer = decode_answer(reply.data)
            if answer.outcome in FINAL:
                return answer
        except _UNANSWERED:
            pass
        await asyncio.sleep(min(delay, max(0.0, until - loop.time())))
        delay = min(1.0, delay * 2)
