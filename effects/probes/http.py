"""An HTTP check is good when the whole answer comes in time, with the status and text wanted."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from effects.probes.looking import Bad, Finding, Good, connection_failure, observe
from effects.secrets import SecretUnavailableError, resolve_all

if TYPE_CHECKING:
    from effects.ports import Observed
    from events.service import HttpCheck

BODY_BYTES_MAX = 1024 * 1024
REDIRECTS_MAX = 5
CONNECTIONS_PER_HOST_MAX = 64
GOOD_STATUSES = range(200, 400)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEP_METHOD = frozenset({307, 308})
DEFAULT_HEADERS = {"User-Agent": "standfast", "Accept-Encoding": "identity"}


class HttpProbe:
    """Sends requests, each over a new connection: that the port still accepts is part of it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def probe(self, check: HttpCheck) -> Observed:
        """Look once. Waiting for a free connection to the host is not the service's time."""
        where = authority_of(check.url)
        async with self._place(where):
            look = self._look(check, where)
            return await observe(look, check.timeout_seconds, f"no answer from {where}")

    async def close(self) -> None:
        """Give the connections back."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _place(self, where: str) -> AbstractAsyncContextManager[None]:
        semaphore = self._hosts.get(where)
        if semaphore is None:
            semaphore = asyncio.Semaphore(CONNECTIONS_PER_HOST_MAX)
            self._hosts[where] = semaphore
        return semaphore

    async def _look(self, check: HttpCheck, where: str) -> Finding:
        try:
            headers = DEFAULT_HEADERS | resolve_all(check.headers)
            return await _request(self._opened(), check, headers)
        except SecretUnavailableError as error:
            return Bad(str(error))
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            return _failure(error, where)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            )
        return self._session


def authority_of(url: str) -> str:
    """Give `host:port` of a URL, without its user, path or query: those may hold secrets."""
    try:
        parsed = URL(url)
    except ValueError:
        return "a URL that is none"
    return f"{parsed.host}:{parsed.port}"


async def _request(
    session: aiohttp.ClientSession, check: HttpCheck, headers: dict[str, str]
) -> Finding:
    """Ask, and follow redirects; configured headers don't travel to another origin."""
    method, url, body = check.method, URL(check.url), check.body
    for _ in range(REDIRECTS_MAX + 1):
        async with session.request(
            method, url, headers=headers, data=body.encode() or None, allow_redirects=False
        ) as answer:
            target = _target(answer, check)
            if target is None:
                return await _judge(answer, check)
        if answer.status not in KEEP_METHOD and method != "HEAD":
            method, body = "GET", ""
        if target.origin() != url.origin():
            headers = DEFAULT_HEADERS
        url = target
    return Bad(f"more than {REDIRECTS_MAX} redirects")


def _target(answer: aiohttp.ClientResponse, check: HttpCheck) -> URL | None:
    """Give where a redirect leads; None where the answer is one, or its status is wanted."""
    location = answer.headers.get("Location")
    if answer.status not in REDIRECTS or location is None:
        return None
    return None if answer.status in check.expected_statuses else answer.url.join(URL(location))


async def _judge(answer: aiohttp.ClientResponse, check: HttpCheck) -> Finding:
    if answer.status not in (check.expected_statuses or GOOD_STATUSES):
        wanted = ", ".join(str(status) for status in check.expected_statuses) or "200-399"
        return Bad(f"status {answer.status}, wanted {wanted}")
    body = await _read(answer)
    if check.expected_text and check.expected_text not in body.decode(errors="replace"):
        where = " in the first 1 MiB" if len(body) >= BODY_BYTES_MAX else ""
        return Bad(f"text {check.expected_text!r} not found{where}")
    return Good()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Read the answer to its end, or to the limit: half an answer is no answer."""
    chunks: list[bytes] = []
    left = BODY_BYTES_MAX
    while left > 0 and (chunk := await answer.content.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _failure(error: aiohttp.ClientError | OSError, where: str) -> Bad:
    """Say what went wrong, in words that hold nothing of the request but host and port."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ClientConnectorCertificateError():
            return _no_connection(error, where)
        case aiohttp.ServerDisconnectedError():
            return Bad(f"{where} closed the connection without an answer")
        case OSError():
            return connection_failure(error, where.rpartition(":")[0], where)
        case aiohttp.ClientPayloadError():
            return Bad(f"the answer of {where} broke off")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return Bad("the URL of the check, or one it leads to, is not an HTTP URL")
        case _:
            return Bad(f"the answer of {where} is not HTTP")


def _no_connection(
    error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError, where: str
) -> Bad:
    host = where.rpartition(":")[0]
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            why = getattr(cause, "verify_message", "") or type(cause).__name__
            return Bad(f"the certificate of {where} is not trusted: {why}")
        case aiohttp.ClientConnectorDNSError(os_error=cause):
            return Bad(f"the name {host} can't be resolved: {cause.strerror}")
        case aiohttp.ClientSSLError(os_error=cause):
            return Bad(f"no TLS connection to {where}: {cause.strerror}")
        case _:
            return connection_failure(error.os_error, host, where)
