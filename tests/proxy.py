"""A proxy between a client and its server that can lose what the server says."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field


@dataclass(slots=True)
class LossyProxy:
    """Forwards TCP on loopback. `lose_next` drops the server's next bytes with this in them."""

    port_behind: int
    lost: int = 0
    lose_next: bytes = b""
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> int:
        """Listen on a free port, and give it."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_behind = await asyncio.open_connection("127.0.0.1", self.port_behind)
        self._writers += [writer, to_behind]
        self._spawn(reader, to_behind, lossy=False)
        self._spawn(behind, writer, lossy=True)

    def _spawn(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, lossy: bool
    ) -> None:
        task = asyncio.create_task(self._pump(source, target, lossy=lossy))
        self._tasks.add(task)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, lossy: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if lossy and self.lose_next and self.lose_next in chunk:
                    self.lost += 1
                    self.lose_next = b""
                    continue
                target.write(chunk)
                await target.drain()
        target.close()
