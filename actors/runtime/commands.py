"""Commands travel as NATS requests to whoever owns the entity's bucket, and are answered there."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgpack
from nats.errors import Error as NatsError

from events.address import EntityAddress
from events.base import Origin
from events.ids import new_id
from events.origin import FIELDS, pack_origin, unpack_origin
from events.subjects import command_subject
from events.surroundings import now

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from actors.base import Command

FORMAT = 1
ANSWER_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
BACKOFF_SECONDS = 0.05
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    msgpack.UnpackException,
)
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


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a command, given after its commit: `sequence` is where its facts are."""

    outcome: Outcome
    message: str = ""
    sequence: int = 0

    @property
    def accepted(self) -> bool:
        """Say whether the command is done, by this or an earlier delivery."""
        return self.outcome in ACCEPTED


OTHER_GENERATION = Answer(Outcome.BUSY, "the log was restored: sender or host begins anew")


@dataclass(frozen=True, slots=True)
class Request:
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


def encode_request(request: Request) -> bytes:
    """Give the bytes of a request."""
    fields = (
        FORMAT,
        str(request.entity),
        request.command,
        request.arguments,
        *pack_origin(request.origin),
        request.generation,
    )
    return bytes(msgpack.packb(fields, datetime=True))


def decode_request(payload: bytes) -> Request:
    """Read the bytes of a request. Raises `BadRequestError`."""
    try:
        fields = msgpack.unpackb(payload, timestamp=3)
        _check_types(fields)
        return Request(
            entity=EntityAddress.parse(fields[1]),
            command=fields[2],
            arguments=fields[3],
            origin=unpack_origin(fields[4 : 4 + FIELDS]),
            generation=fields[4 + FIELDS] if len(fields) > 4 + FIELDS else 0,
        )
    except BadRequestError:
        raise
    except _UNREADABLE as error:
        message = f"not a request: {type(error).__name__}: {error}"
        raise BadRequestError(message) from error


def _check_types(fields: list[Any]) -> None:
    """Refuse at the door what would only fail inside."""
    if fields[0] != FORMAT:
        message = f"a request of format {fields[0]!r}; known here: {FORMAT}"
        raise BadRequestError(message)
    texts = [*fields[1:3], *fields[4:7], fields[8]]
    texts += [text for text in fields[9:12] if text is not None]
    mark_is_good = fields[12] is None or (
        isinstance(fields[12][0], str) and isinstance(fields[12][1], int)
    )
    time_is_good = isinstance(fields[7], datetime) and fields[7].tzinfo is not None
    if not (
        all(isinstance(text, str) for text in texts)
        and isinstance(fields[3], dict)
        and time_is_good
        and mark_is_good
    ):
        message = "not a request: a field has not the type it must have"
        raise BadRequestError(message)


def encode_answer(answer: Answer) -> bytes:
    """Give the bytes of an answer."""
    return bytes(msgpack.packb((str(answer.outcome), answer.message, answer.sequence)))


def decode_answer(payload: bytes) -> Answer:
    """Read the bytes of an answer."""
    outcome, message, sequence = msgpack.unpackb(payload)
    return Answer(Outcome(outcome), message, sequence)


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
