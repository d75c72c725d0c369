"""A webhook receiver in this process, with a ledger of its own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from effects.notifiers.webhook import FENCE_HEADER, KEY_HEADER

if TYPE_CHECKING:
    from types import TracebackType

    from scenarios.faults.receiver import Ledger


class Receiver:
    """Listens on a free loopback port and answers 200 to all it is told.

    What it is told it also enters into `checked`, where the checker is to know it.
    """

    def __init__(self, checked: Ledger | None = None) -> None:
        self.ledger: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.ledger, checked))
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"

    def statuses(self) -> list[str]:
        """Give what was told, in order: firing or resolved."""
        return [str(entry["status"]) for entry in self.ledger]

    def told(self, alert: str) -> list[str]:
        """Give what was told of one alert, in order: firing or resolved."""
        return [
            str(entry["status"])
            for entry in self.ledger
            if entry["commonLabels"]["alertname"] == alert
        ]

    def told_once(self, alert: str) -> list[str]:
        """Give what was told of one alert, in order, each notice once: repeats have its key."""
        found: dict[str, str] = {}
        for entry in self.ledger:
            if entry["commonLabels"]["alertname"] == alert:
                found.setdefault(entry["key"], str(entry["status"]))
        return list(found.values())

    def told_of(self, service: str) -> list[str]:
        """Give what was told of one service, in order: firing or resolved."""
        return [
            str(entry["status"])
            for entry in self.ledger
            if entry["commonLabels"].get("service") == service
        ]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(ledger: list[dict[str, Any]], checked: Ledger | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            content = json.loads(self.rfile.read(length))
            ledger.append({**content, "key": self.headers[KEY_HEADER]})
            if checked is not None:
                fence = int(self.headers.get(FENCE_HEADER, 0))
                checked.enter(self.headers[KEY_HEADER], fence, content)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Say nothing."""

    return Handler
