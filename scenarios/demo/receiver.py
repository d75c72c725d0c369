"""A webhook receiver with a ledger of its own: what is in it was truly delivered.

Run as `python -m scenarios.demo.receiver --port PORT --ledger FILE`. Every POST, to any path, is
one JSON line (`number`, `received`, `path`, `headers`, `body`), on disk before it is answered;
`GET /ledger` gives `{"entries": [...]}`, oldest first, `?after=NUMBER` only later ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from scenarios.loopback import HOST

BODY_BYTES_MAX = 1_000_000
LEDGER_BYTES_MAX = 100_000_000
ENTRIES_SHOWN_MAX = 10_000
SHUTDOWN_TIMEOUT_SECONDS = 1.0
# Only these are kept: a list of secret ones would never be complete.
HEADERS_KEPT = frozenset(
    {"content-type", "idempotency-key", "traceparent", "tracestate", "user-agent", "x-request-id"}
)
HEADER_PREFIXES_KEPT = ("ce-", "x-standfast-id")


class Ledger:
    """An append-only file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = asyncio.Lock()
        self._file = path.open("ab")
        self._end_torn_line()
        self._number = max((entry["number"] for entry in self.entries()), default=0)

    def _end_torn_line(self) -> None:
        """Close a line that a kill left half-written, so that the next is whole."""
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")
            self._file.flush()

    def entries(self) -> list[dict[str, Any]]:
        """Read all whole entries, oldest first."""
        found = []
        for line in self.path.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    async def append(self, entry: dict[str, Any]) -> int | None:
        """Put an entry on disk; gives its number, None when the ledger is full."""
        async with self._turn:
            if self.path.stat().st_size > LEDGER_BYTES_MAX:
                return None
            self._number += 1
            line = json.dumps({"number": self._number, **entry}, ensure_ascii=False)
            await asyncio.to_thread(self._write, f"{line}\n".encode())
            return self._number

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())


LEDGER = web.AppKey("LEDGER", Ledger)


async def receive(request: web.Request) -> web.Response:
    """Keep a delivery and answer its number."""
    entry = {
        "received": datetime.now(UTC).isoformat(),
        "path": request.path,
        "headers": kept_headers(request),
        "body": _readable(await request.read()),
    }
    number = await request.app[LEDGER].append(entry)
    if number is None:
        return web.json_response({"error": "the ledger is full"}, status=507)
    return web.json_response({"number": number})


def kept_headers(request: web.Request) -> dict[str, str]:
    """Give the headers that help a reader and hold no secret."""
    return {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower() in HEADERS_KEPT or name.lower().startswith(HEADER_PREFIXES_KEPT)
    }


def _readable(body: bytes) -> object:
    """Give JSON as it is, anything else as text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


async def show(request: web.Request) -> web.Response:
    """Answer the ledger."""
    after = request.query.get("after", "0")
    if not after.isdecimal():
        return web.json_response({"error": "`after` is the number of an entry"}, status=400)
    entries = await asyncio.to_thread(request.app[LEDGER].entries)
    later = [entry for entry in entries if entry["number"] > int(after)]
    return web.json_response({"entries": later[:ENTRIES_SHOWN_MAX]})


def make_receiver(ledger: Path) -> web.Application:
    """Make the receiver of one ledger."""
    application = web.Application(client_max_size=BODY_BYTES_MAX)
    application[LEDGER] = Ledger(ledger)
    application.router.add_get("/ledger", show)
    application.router.add_post("/{path:.*}", receive)
    return application


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    arguments = parser.parse_args()
    web.run_app(
        make_receiver(arguments.ledger),
        host=HOST,
        port=arguments.port,
        access_log=None,
        print=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
