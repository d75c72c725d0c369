"""When Standfast itself falls silent people are told, once, and told when it is back."""

from __future__ import annotations

import http.server
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from events.log import Log
from events.server import free_port
from standfast.supervisor.layout import HOSTED
from tests.fixtures.checked import HELD, CheckedRun
from tests.hurting import configuration, connected, end, frozen, kill_all_but, replaced
from tests.receiver import Receiver
from tests.standing import Standing
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

AWAY_SECONDS = 120.0
"""So long all may be away, and what is due waits for it."""
SILENT, IMPAIRED = "StandfastSilent", "StandfastImpaired"


class DeadMan:
    """The outside: it counts who says to be alive."""

    def __init__(self) -> None:
        self.pings: list[float] = []
        pings = self.pings

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pings.append(time.monotonic())
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ping/secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(checked_run: CheckedRun) -> Iterator[Receiver]:
    with Receiver(checked_run.ledger("team")) as found:
        yield found


@pytest.fixture
def dead_man(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadMan]:
    found = DeadMan()
    monkeypatch.setenv("DEAD_MAN_URL", found.url)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
async def standing(
    tmp_path: Path, receiver: Receiver, dead_man: DeadMan
) -> AsyncIterator[Standing]:
    assert dead_man.url
    more = "watchdog: {dead_man_url: 'env:DEAD_MAN_URL', dead_man_interval_seconds: 1}"
    config = tmp_path / "standfast.yaml"
    config.write_text(configuration(receiver.url, {"here": receiver.port}, more=more))
    found = Standing(tmp_path / "state", config)
    found.start()
    yield found
    await end(found)


async def test_when_all_but_the_watchdog_is_killed_people_are_told_once_until_it_is_back(
    standing: Standing, receiver: Receiver, dead_man: DeadMan, checked_run: CheckedRun
) -> None:
    await standing.wait_ready()
    await until(lambda: dead_man.pings)
    kill_all_but(standing, "watchdog")
    began = time.monotonic()
    await until(lambda: receiver.told(SILENT) == ["firing"], 60)
    took_seconds = time.monotonic() - began
    assert took_seconds < 60
    (page,) = receiver.ledger
    text = page["commonAnnotations"]["description"]
    assert all(name in text for name in ("supervisor", "log", "prober", "ray", "web")), text
    assert time.monotonic() - dead_man.pings[-1] > 10, "no ping while the heart does not beat"
    standing.start()
    await until(lambda: receiver.told(SILENT) == ["firing", "resolved"], 60)
    await standing.wait_ready()
    count = len(dead_man.pings)
    await until(lambda: len(dead_man.pings) > count)
    assert receiver.statuses() == ["firing", "resolved"]
    await _is_clean(standing, checked_run)


async def _is_clean(standing: Standing, checked_run: CheckedRun) -> None:
    """Wait until the log knows who was told without it, and hold it to that."""
    await standing.wait_for("/api/events?kind=platform&id=hurt&limit=100", _knows_both, 60)
    claims = (*HELD, "world: told without the log")
    async with connected(standing) as client:
        log = await Log.open(client)
        await checked_run.clean(log, *claims, hosts=HOSTED, late_seconds=AWAY_SECONDS)


def _knows_both(answer: Any) -> bool:
    """Say whether the log knows that people were told, and that it is over."""
    told = [one for one in answer["events"] if one["type"].endswith("told_without_log.v1")]
    return len(told) == 2


async def test_a_page_outlives_the_watchdog_that_sent_it(
    standing: Standing, receiver: Receiver, checked_run: CheckedRun
) -> None:
    """What was under way when it was killed may be told again, under its key."""
    await standing.wait_ready()
    with frozen(standing.pid_of("prober")):
        await until(lambda: receiver.told_once(SILENT) == ["firing"], 60)
        await replaced(standing, "watchdog")
        await until(lambda: "StandfastSilent" in _status(standing), 10)
        await replaced(standing, "watchdog")
    await until(lambda: receiver.told_once(SILENT) == ["firing", "resolved"], 30)
    await _is_clean(standing, checked_run)


def _status(standing: Standing) -> str:
    return (standing.directory / "watchdog" / "status.json").read_text()


async def test_a_stopped_page_is_named_and_not_called_silence(
    standing: Standing, receiver: Receiver, checked_run: CheckedRun
) -> None:
    await standing.wait_ready()
    with frozen(standing.pid_of("web")):
        await until(lambda: receiver.told(IMPAIRED) == ["firing"], 60)
        (page,) = receiver.ledger
        assert page["commonLabels"]["severity"] == "warning"
        assert "web (stopped since" in page["commonAnnotations"]["description"]
    await until(lambda: receiver.told(IMPAIRED) == ["firing", "resolved"], 30)
    assert receiver.told(SILENT) == []
    await _is_clean(standing, checked_run)


async def test_an_orderly_end_pages_nobody(standing: Standing, receiver: Receiver) -> None:
    await standing.wait_ready()
    standing.stop()
    assert receiver.ledger == []
    standing.start()
    await standing.wait_ready()
    assert receiver.ledger == []


LISTENS = "import socket,time; s=socket.create_server(('127.0.0.1',{port})); time.sleep(9999)"
LINGERS = "import signal,time; signal.signal(15, lambda *_: exit(time.sleep(8))); time.sleep(9999)"


def _supervised(receiver: Receiver, port: int) -> str:
    """Give a service that ends at once, and is checked while what it needs takes 8 s to end."""
    store, shop = LINGERS, LISTENS.format(port=port)
    check = f"{{kind: tcp, port: {port}, interval_seconds: 1, timeout_seconds: 0.4}}"
    return f"""
platform: {{name: hurt}}
services:
  store:
    process: {{command: ["{sys.executable}", -c, "{store}"]}}
    checks: [{{kind: process, child: store, interval_seconds: 1}}]
  shop:
    depends_on: [store]
    process: {{command: ["{sys.executable}", -c, "{shop}"]}}
    checks: [{check}]
receivers:
  team: {{type: webhook, url: "{receiver.url}"}}
alerting: {{receivers: [team]}}
"""


async def test_an_orderly_end_is_no_outage_of_the_services_that_end_with_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    config = tmp_path / "standfast.yaml"
    config.write_text(_supervised(receiver, free_port()))
    standing = Standing(tmp_path / "state", config)
    try:
        for _ in range(2):
            standing.start()
            await standing.wait_ready()
            await standing.wait_for("/api/services", _all_healthy)
            standing.stop()
        events = await standing.run("events", "--kind", "service", "--json")
        assert "standfast.service.became_healthy" in events
        assert "standfast.service.went_down" not in events
        assert receiver.ledger == []
    finally:
        if standing.process is not None and standing.process.poll() is None:
            standing.stop()


def _all_healthy(answer: Any) -> bool:
    return [one["state"] for one in answer["services"]] == ["healthy"] * 2
