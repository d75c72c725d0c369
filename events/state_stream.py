"""The state stream of the present generation: the one that takes commits. Each has its own.

A generation's stream is filled and checked beside the open one, under subjects that nobody writes
to. Then the open one is closed and the new one opened: two changes of settings. Commits name the
stream they are for, so a writer that was not told is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nats.js.errors import APIError, NotFoundError

from events.identity import LogIdentity, identity_in
from events.subjects import STATE_STREAM, STATE_SUBJECTS

if TYPE_CHECKING:
    from nats.aio.client import Client

API_SECONDS = 5.0
STREAM_NOT_FOUND = 10059
CLOSED_SUBJECTS, BESIDE_SUBJECTS = "sfold", "sfnew"

Content = dict[str, Any]
"""JSON, as the server gives it."""


@dataclass(frozen=True, slots=True)
class StateStream:
    """One stream of commits: its name, the generation it holds, and its settings."""

    name: str
    identity: LogIdentity
    config: Content
    last_sequence: int

    @property
    def is_open(self) -> bool:
        """Say whether it takes commits."""
        return bool(self.config["subjects"] == [STATE_SUBJECTS])

    @property
    def is_closed(self) -> bool:
        """Say whether it took commits once."""
        return str(self.config["subjects"][0]).startswith(f"{CLOSED_SUBJECTS}.")


def state_stream_name(generation: int) -> str:
    """Give the name of a generation's stream."""
    return STATE_STREAM if generation == 1 else f"{STATE_STREAM}_{generation}"


async def ask_streams(
    client: Client, verb: str, content: Content, seconds: float = API_SECONDS
) -> Content:
    """Ask the server about streams. Raises `NotFoundError` and others of nats-py."""
    payload = json.dumps(content).encode()
    reply = await client.request(f"$JS.API.STREAM.{verb}", payload, seconds)
    answer: Content = json.loads(reply.data)
    if "error" in answer:
        APIError.from_error(answer["error"])
    return answer


async def find_state_stream(client: Client) -> StateStream | None:
    """Give the stream that takes commits, or None where there is none, or it is closed."""
    answer = await ask_streams(client, "LIST", {"subject": STATE_SUBJECTS})
    return next((_state_stream(info) for info in answer["streams"]), None)


async def state_streams(client: Client) -> list[StateStream]:
    """Give all streams of commits, open or not, by generation."""
    answer = await ask_streams(client, "LIST", {})
    found = [
        _state_stream(info)
        for info in answer["streams"]
        if str(info["config"]["name"]).startswith(STATE_STREAM)
    ]
    return sorted(found, key=lambda stream: stream.identity.generation)


async def close_state_stream(client: Client, stream: StateStream) -> StateStream:
    """Let a stream take no more commits. What is acknowledged is in it; gives it as it ended."""
    subjects = [f"{CLOSED_SUBJECTS}.{stream.identity.generation}.>"]
    return await _change(client, stream, {"subjects": subjects})


async def open_state_stream(client: Client, stream: StateStream) -> StateStream:
    """Let a stream take commits, and let nothing in it be deleted."""
    changes = {"subjects": [STATE_SUBJECTS], "deny_delete": True, "deny_purge": True}
    return await _change(client, stream, changes)


async def reopen_state_stream(client: Client) -> StateStream | None:
    """Open what a restore closed before it was cut off: what it prepared is as if it never was."""
    found = await state_streams(client)
    closed = [stream for stream in found if stream.is_closed]
    return await open_state_stream(client, closed[-1]) if closed else None


async def delete_state_stream(client: Client, name: str) -> None:
    """Delete a stream that takes no commits; harmless where it is not there."""
    try:
        await ask_streams(client, f"DELETE.{name}", {})
    except NotFoundError:
        return


def beside_subjects(generation: int) -> str:
    """Give the subjects of a generation's stream while it is filled beside the open one."""
    return f"{BESIDE_SUBJECTS}.{generation}.>"


async def stream_named(client: Client, name: str) -> StateStream:
    """Give a stream of commits by its name. Raises `NotFoundError`."""
    return _state_stream(await ask_streams(client, f"INFO.{name}", {}))


async def _change(client: Client, stream: StateStream, changes: Content) -> StateStream:
    config = {name: value for name, value in stream.config.items() if name != "subject_transform"}
    answer = await ask_streams(client, f"UPDATE.{stream.name}", {**config, **changes})
    return _state_stream(answer)


def _state_stream(info: Content) -> StateStream:
    config, state = info["config"], info["state"]
    identity = identity_in(config.get("metadata") or {})
    return StateStream(config["name"], identity, config, int(state["last_seq"]))
