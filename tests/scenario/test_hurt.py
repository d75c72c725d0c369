"""When the log takes nothing people are still told, and afterwards the log knows it, once."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.hurting import configuration, end, frozen
from tests.receiver import Receiver
from tests.standing import Standing
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

DOWN, LOG = "ServiceDown", "LogAway"


class Service:
    """A TCP service in this process that can be taken down and brought back."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server: socketserver.ThreadingTCPServer | None = None
        self.start()

    def start(self) -> None:
        """Accept connections."""

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), socketserver.BaseRequestHandler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> datetime:
        """Refuse connections from now on; gives when that began."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        return datetime.now(UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def services() -> Iterator[dict[str, Service]]:
    found = {"db": Service(), "app": Service(), "other": Service()}
    yield found
    for one in found.values():
        one.stop()


@pytest.fixture
async def standing(
    tmp_path: Path, receiver: Receiver, services: dict[str, Service]
) -> AsyncIterator[Standing]:
    config = tmp_path / "standfast.yaml"
    ports = {name: one.port for name, one in services.items()}
    config.write_text(configuration(receiver.url, ports, needs="db", apart="other"))
    found = Standing(tmp_path / "state", config)
    found.start()
    await found.wait_ready()
    yield found
    await end(found)


async def facts_of(standing: Standing, kind: str, entity: str) -> list[dict[str, Any]]:
    found = await standing.get(f"/api/events?kind={kind}&id={entity}&limit=1000")
    return sorted(found["events"], key=lambda one: one["sequence"])


def types(facts: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("standfast.").removesuffix(".v1") for one in facts]


async def test_a_service_that_is_killed_while_the_log_is_frozen_is_told_and_written_once(
    standing: Standing, receiver: Receiver, services: dict[str, Service]
) -> None:
    with frozen(standing.pid_of("log")):
        killed = services["db"].stop()
        services["app"].stop()
        began = time.monotonic()
        await until(lambda: receiver.told(DOWN) == ["firing"], 30)
        assert time.monotonic() - began < 30
        page = next(one for one in receiver.ledger if one["commonLabels"]["alertname"] == DOWN)
        assert page["commonLabels"]["service"] == "db"
        assert page["commonAnnotations"]["summary"] == "db is down, and because of it app"
        assert "refused" in page["commonAnnotations"]["description"]
        assert receiver.told(LOG) == ["firing"]
    await until(lambda: receiver.told(LOG) == ["firing", "resolved"], 30)
    await standing.wait_for("/api/incidents?limit=10", lambda one: len(one["incidents"]) == 1)
    went_down = [
        one for one in await facts_of(standing, "service", "db") if "went_down" in one["type"]
    ]
    assert len(went_down) == 1
    since = datetime.fromisoformat(went_down[0]["data"]["since"])
    assert killed - timedelta(seconds=1) < since < killed + timedelta(seconds=3)
    services["db"].start()
    services["app"].start()
    await until(lambda: receiver.told(DOWN) == ["firing", "resolved"], 30)
    for name in ("db", "app"):
        assert types(await facts_of(standing, "service", name)).count("service.went_down") == 1
        assert types(await facts_of(standing, "service", name))[-1] == "service.became_healthy"
    platform = types(await facts_of(standing, "platform", "hurt"))
    assert platform.count("platform.log_was_away") == 1
    assert platform.count("platform.told_without_log") >= 2
    assert types(await facts_of(standing, "alert", "ServiceDown:db")).count("alert.heard") == 1
    assert receiver.told(DOWN) == ["firing", "resolved"]
    await standing.run("verify")
