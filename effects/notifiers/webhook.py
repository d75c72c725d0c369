"""A webhook was told when it answered 2xx, was not when it refused, and else nobody knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

from effects.contract import Failed, Guard, OverdueError, Result, Succeeded, Unknown
from effects.notifiers.payload import payload_of
from effects.notifiers.settings import shown_place
from effects.secrets import SecretUnavailableError, resolve, resolve_all

if TYPE_CHECKING:
    from types import SimpleNamespace

    from effects.notifiers.letter import Letter
    from effects.notifiers.settings import WebhookReceiver

CONNECTIONS_MAX = 32
KEY_HEADER = "Idempotency-Key"
FENCE_HEADER = "Standfast-Fence"
LEVEL_HEADER = "Standfast-Level"
MAY_PASS = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Refusals of this moment only; every other 3xx and 4xx stays one."""


@dataclass(slots=True)
class _Sending:
    """One request: the guard that is asked once more when it is connected, and how far it came."""

    guard: Guard
    has_begun: bool = False


class Webhook:
    """Sends letters by HTTP POST, each on a connection of its own."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, letter: Letter, settings: WebhookReceiver, guard: Guard) -> Result:
        """Send a letter once. No secret is in the result."""
        try:
            url, headers = resolve(settings.url), resolve_all(settings.headers)
        except SecretUnavailableError as error:
            return Failed(f"{letter.receiver} can't be told: {error}")
        sending = _Sending(guard)
        place = shown_place(url)
        seconds = min(settings.timeout_seconds, guard.left_seconds)
        try:
            async with asyncio.timeout(seconds):
                status = await self._post(url, headers | _own_headers(letter), letter, sending)
        except OverdueError:
            return Failed(f"the deadline passed before {place} was connected")
        except TimeoutError:
            return _unanswered(sending, f"{place} did not answer within {seconds:.1f} s")
        except (aiohttp.InvalidURL, ValueError):
            return Failed(f"the address of {letter.receiver} is not a URL", permanent=True)
        except (aiohttp.ClientError, OSError) as error:
            return _unanswered(sending, f"{place}: {_cause(error)}")
        return judge(status, place)

    async def close(self) -> None:
        """Let go of the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(
        self, url: str, headers: dict[str, str], letter: Letter, sending: _Sending
    ) -> int:
        if self._session is None:
            self._session = _open_session()
        async with self._session.post(
            url,
            json=payload_of(letter),
            headers=headers,
            allow_redirects=False,
            trace_request_ctx=sending,
        ) as response:
            return response.status


def judge(status: int, place: str) -> Result:
    """Say what an HTTP status means for a notice."""
    said = f"{place} answered {status}"
    if 200 <= status < 300:  # noqa: PLR2004  (the class of success)
        return Succeeded(said)
    return Failed(said, permanent=300 <= status < 500 and status not in MAY_PASS)  # noqa: PLR2004


def _own_headers(letter: Letter) -> dict[str, str]:
    return {
        KEY_HEADER: letter.key,
        FENCE_HEADER: str(letter.fence),
        LEVEL_HEADER: str(letter.level),
        "User-Agent": "standfast",
    }


def _unanswered(sending: _Sending, reason: str) -> Result:
    """Once a request is on its way, only its answer tells whether it was heard."""
    return Unknown(reason) if sending.has_begun else Failed(reason)


def _cause(error: Exception) -> str:
    """Give an error's cause without the address in it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or type(error).__name__})"
    return f"the connection failed ({type(error).__name__})"


def _open_session() -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_connected)
    trace.on_request_headers_sent.append(_headers_sent)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _connected(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _seen: object
) -> None:
    """Connecting may have taken long: ask again whether the request may still be sent."""
    sending: _Sending = context.trace_request_ctx
    sending.guard.check()
    sending.has_begun = True


async def _headers_sent(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _seen: object
) -> None:
    context.trace_request_ctx.has_begun = True
