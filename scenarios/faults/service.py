"""A small real service: it answers 200 while it lives and reaches what it needs, and 503 else.

Run as `python -m scenarios.faults.service --name NAME --port PORT --ledger FILE --refusal FILE
[--needs PORT ...]`. Each start is written into the ledger, with the key and the fence of the wish
that it follows from, if any; then, where there is a refusal, it ends at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from scenarios.faults.lines import JsonLines
from scenarios.loopback import HOST

STARTED = "start"
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


def _enter(ledger: Path, name: str) -> None:
    """Write a start down, as the one that a wish led to, or as one that nobody wished."""
    lines = JsonLines(ledger)
    lines.write(
        {
            "key": os.environ.get("STANDFAST_IDEMPOTENCY_KEY", ""),
            "fence": int(os.environ.get("STANDFAST_FENCE", "0")),
            "alert": name,
            "action": STARTED,
            "time": datetime.now(UTC).isoformat(),
        }
    )
    lines.close()


def main() -> int:
    """Serve until told to stop; 1 where it is refused to start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--refusal", type=Path, required=True)
    parser.add_argument("--needs", type=int, nargs="*", default=[])
    given = parser.parse_args()
    _enter(given.ledger, given.name)
    if given.refusal.exists():
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.port, given.needs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
