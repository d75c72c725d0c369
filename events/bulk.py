"""A connection of its own for reading much: it takes deliveries from the socket as they come.

The ordinary client makes several objects and task switches of each message; that is right for
commands, and too much for a log of millions. This one only subscribes, once, to one inbox.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client

    Delivery = tuple[str, str, bytes, bytes]
    """Subject, reply subject, payload and block of headers; what is not there is empty."""

    Take = Callable[[list[Delivery]], None]

OPEN_SECONDS = 2.0
_END = b"\r\n"
_PORT = 4222
_WORDS = {"MSG": 5, "HMSG": 6}
"""Of a control line with a reply subject: verb, subject, subscription, reply and sizes."""


class BulkUnavailableError(Exception):
    """The server can't be reached in this simple way; the ordinary client may still reach it."""


class BulkConnection(asyncio.Protocol):
    """Subscribes to one inbox and gives on what came at once, in order, without waiting."""

    def __init__(
        self, login: dict[str, Any], inbox: str, take: Take, lost: Callable[[], None]
    ) -> None:
        """Use `BulkConnection.open`."""
        self._login = login
        self._inbox = inbox
        self._take = take
        self._lost = lost
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, client: Client, inbox: str, take: Take, lost: Callable[[], None]
    ) -> BulkConnection:
        """Subscribe on the server that a client is connected to; `lost` hears of its end.

        Raises `BulkUnavailableError` where that needs more than an address and a token.
        """
        url, options = getattr(client, "connected_url", None), getattr(client, "options", {})
        if url is None or url.scheme != "nats" or url.username is not None:
            raise BulkUnavailableError("no plain address")
        token = options.get("token")
        login = {"auth_token": token} if isinstance(token, str) else {}
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: cls(login, inbox, take, lost), url.hostname, url.port or _PORT
                )
                try:
                    await connection.subscribed
                except BaseException:
                    connection.close()
                    raise
        except (OSError, TimeoutError) as error:
            raise BulkUnavailableError(str(error)) from error
        return connection

    def close(self) -> None:
        """End the connection, and tell nobody."""
        if self._transport is not None:
            self._transport.abort()
        self._transport = None

    def pause(self) -> None:
        """Leave what arrives to the network: the server is held back."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take what arrives again."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def answer(self, subject: str) -> None:
        """Send an empty message, as flow control asks for."""
        self._write(f"PUB {subject} 0\r\n\r\n")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are and subscribe; the server's PONG says that it has understood."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": False}
        login = json.dumps({**options, "lang": "python", "protocol": 1, **self._login})
        self._write(f"CONNECT {login}\r\nSUB {self._inbox} 1\r\nPING\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so, unless the end was ours."""
        if self._transport is None:
            self.subscribed.cancel()
        elif self.subscribed.done():
            self._lost()
        else:
            self.subscribed.set_exception(exc or ConnectionResetError("refused"))
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Give on all whole messages, and keep the rest until more comes."""
        buffer = self._rest + data if self._rest else data
        deliveries: list[Delivery] = []
        place = 0
        while (line_end := buffer.find(_END, place)) >= 0:
            words = buffer[place:line_end].decode().split(" ")
            start = line_end + 2
            if words[0] == "HMSG":
                body, end = start + int(words[-2]), start + int(words[-1])
            elif words[0] == "MSG":
                body, end = start, start + int(words[-1])
            else:
                self._control(words[0])
                place = start
                continue
            if end + 2 > len(buffer):
                break
            reply = words[3] if len(words) == _WORDS[words[0]] else ""
            deliveries.append((words[1], reply, buffer[body:end], buffer[start:body]))
            place = end + 2
        self._rest = buffer[place:]
        if deliveries:
            self._take(deliveries)

    def _control(self, word: str) -> None:
        if word == "PING":
            self._write("PONG\r\n")
        elif word == "PONG" and not self.subscribed.done():
            self.subscribed.set_result(None)
        elif word == "-ERR" and self._transport is not None:
            self._transport.close()

    def _write(self, text: str) -> None:
        if self._transport is not None:
            self._transport.write(text.encode())
