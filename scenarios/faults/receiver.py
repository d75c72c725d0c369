"""A webhook receiver whose ledger knows each delivery before it is answered.

Run as `python -m scenarios.faults.receiver --port PORT --ledger FILE`.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from scenarios.faults.lines import JsonLines, read_lines
from scenarios.loopback import HOST

BODY_BYTES_MAX = 1_000_000
SHUTDOWN_TIMEOUT_SECONDS = 1.0


class Ledger:
    """What was delivered, in the order it came; a key that comes again is said to be repeated."""

    def __init__(self, path: Path) -> None:
        """Go on where an earlier life of the receiver ended."""
        self._known = {str(line["key"]) for line in read_lines(path)}
        self._lines = JsonLines(path)

    def enter(self, key: str, fence: int, body: dict[str, Any]) -> None:
        """Write a delivery down."""
        entry = {
            "key": key,
            "fence": fence,
            "alert": _alert_in(body),
            "status": str(body.get("status", "")),
            "intent": key.partition("@")[0],
            "time": datetime.now(UTC).isoformat(),
            "monotonic": time.monotonic(),
            "repeated": key in self._known,
        }
        self._known.add(key)
        self._lines.write(entry)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def _alert_in(body: dict[str, Any]) -> str:
    """Read the alert's address from the payload's group key."""
    return str(body.get("groupKey", "")).partition('standfast="')[2].partition('"')[0]


LEDGER = web.AppKey("LEDGER", Ledger)


async def receive(request: web.Request) -> web.Response:
    """Enter a delivery, then answer."""
    body = await request.json()
    said = request.headers
    fence = int(said.get("Standfast-Fence", 0))
    request.app[LEDGER].enter(said.get("Idempotency-Key", ""), fence, body)
    return web.json_response({})


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    given = parser.parse_args()
    application = web.Application(client_max_size=BODY_BYTES_MAX)
    application[LEDGER] = Ledger(given.ledger)
    application.router.add_post("/{path:.*}", receive)
    web.run_app(
        application,
        host=HOST,
        port=given.port,
        access_log=None,
        print=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
