"""A small real service: it answers 200 while it lives and reaches what it needs, and 503 else.

Run as `python -m scenarios.faults.service --port PORT [--needs PORT ...]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

HOST = "127.0.0.1"
REACH_SECONDS = 0.5
REQUEST_BYTES_MAX = 8_192
_ANSWERS = {
    True: b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
    False: b"HTTP/1.1 503 Unwell\r\nContent-Length: 5\r\nConnection: close\r\n\r\nneed\n",
}


async def reaches(port: int) -> bool:
    """Say whether a need listens."""
    try:
        async with asyncio.timeout(REACH_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def serve(port: int, needs: list[int]) -> None:
    """Serve for as long as the process lives."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2 * REACH_SECONDS):
                await reader.read(REQUEST_BYTES_MAX)
            well = all(await asyncio.gather(*map(reaches, needs)))
            writer.write(_ANSWERS[well])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, port)
    await server.serve_forever()


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--needs", type=int, nargs="*", default=[])
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.port, given.needs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
