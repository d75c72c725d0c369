"""What the simulated server says of its streams, and how it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nats.js.api import RawStreamMsg, StreamInfo, StreamState
from nats.js.errors import APIError, BadRequestError, NotFoundError, ServiceUnavailableError

if TYPE_CHECKING:
    from scenarios.simulation.stream import Stored, Stream

EXPECTED_HEADER = "Nats-Expected-Last-Subject-Sequence"
STREAM_HEADER = "Nats-Expected-Stream"
Refusal = tuple[type[APIError], dict[str, Any]]

NO_STREAM: Refusal = (
    NotFoundError,
    {"code": 404, "err_code": 10059, "description": "stream not found"},
)
NO_CONSUMER: Refusal = (
    NotFoundError,
    {"code": 404, "err_code": 10014, "description": "consumer not found"},
)
NO_MESSAGE: Refusal = (
    NotFoundError,
    {"code": 404, "err_code": 10037, "description": "no message found"},
)
WRONG_STREAM: Refusal = (
    BadRequestError,
    {"code": 400, "err_code": 10060, "description": "expected stream does not match"},
)
FULL: Refusal = (
    ServiceUnavailableError,
    {"code": 503, "err_code": 10023, "description": "insufficient resources"},
)


def info_of(stream: Stream) -> StreamInfo:
    """Give what is known of a stream."""
    state = StreamState(
        messages=len(stream),
        bytes=stream.bytes,
        first_seq=1,
        last_seq=stream.last,
        consumer_count=0,
    )
    return StreamInfo(config=stream.config, state=state)


def raw_of(name: str, message: Stored) -> RawStreamMsg:
    """Give a stored message as it is asked for."""
    return RawStreamMsg(
        subject=message.subject,
        seq=message.sequence,
        data=message.payload,
        headers=message.headers,
        stream=name,
        time=message.stored,
    )
