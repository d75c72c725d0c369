"""A platform of one's own: what is retired while it is down, isolated, or asks the ports of Ray."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from events.log import Log
from events.server import free_port
from standfast.supervisor.layout import HOSTED
from tests.fixtures.checked import HELD, CheckedRun
from tests.hurting import connected
from tests.receiver import Receiver
from tests.standing import Standing
from tests.waiting import until

CALLS = {
    "gcs_server": ["/ray.rpc.NodeInfoGcsService/GetAllNodeInfo"],
    "raylet": ["/ray.rpc.NodeManagerService/GetNodeStats", "/ray.rpc.ObjectManagerService/Pull"],
    "ray::HostActor": ["/ray.rpc.CoreWorkerService/GetCoreWorkerStats"],
}
"""What each of Ray's listening processes offers; a port offers one of its process's services."""


def _configuration(receiver: Receiver, up: int, down: int, *, with_down: bool) -> str:
    gone = f"""
  gone:
    checks: [{{kind: tcp, port: {down}, interval_seconds: 0.5, timeout_seconds: 0.4}}]
"""
    return f"""
platform: {{name: own}}
services:
  here:
    isolated: true
    checks: [{{kind: tcp, port: {up}, interval_seconds: 0.5, timeout_seconds: 0.4}}]
{gone if with_down else ""}
receivers:
  team: {{type: webhook, url: "{receiver.url}"}}
alerting: {{receivers: [team]}}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("own")
    config = folder / "standfast.yaml"
    text = _configuration(receiver, receiver.port, free_port(), with_down=True)
    config.write_text(text)
    found = Standing(folder / "state", config)
    found.start()
    yield found
    found.stop()


async def test_a_service_retired_while_it_is_down_resolves_its_alert(
    own: Standing, receiver: Receiver
) -> None:
    await own.wait_ready()
    await until(lambda: receiver.statuses() == ["firing"], 30)
    assert own.config is not None
    own.config.write_text(_configuration(receiver, receiver.port, 1, with_down=False))
    assert own.process is not None
    own.process.send_signal(signal.SIGHUP)
    await until(lambda: receiver.statuses() == ["firing", "resolved"], 30)
    alerts = await own.get("/api/alerts")
    assert [one["state"] for one in alerts["alerts"]] == ["resolved"]
    incidents = await own.get("/api/incidents")
    assert [one["state"] for one in incidents["incidents"]] == ["resolved"]


async def test_a_bad_edit_changes_nothing_and_says_where_it_is(own: Standing) -> None:
    await own.wait_ready()
    assert own.config is not None
    good = own.config.read_text()
    before = await own.get("/api/events?kind=service&limit=1000")
    own.config.write_text(good + "\nservces: {}\n")
    assert own.process is not None
    own.process.send_signal(signal.SIGHUP)
    await until(lambda: "the nearest is 'services'" in own.output)
    assert f"line {good.count(chr(10)) + 2}" in own.output
    assert await own.get("/api/events?kind=service&limit=1000") == before
    own.config.write_text(good)


async def test_an_isolated_service_has_a_host_of_its_own(
    own: Standing, whole_run: CheckedRun
) -> None:
    await own.wait_ready()
    actors = await own.json("actors")
    homes = {f"{one['kind']}/{one['id']}": one["host"] for one in actors["entities"]}
    assert homes["service/here"] == "isolated-here"
    pid = next(one["pid"] for one in actors["hosts"] if one["name"] == "isolated-here")
    with whole_run.injected("kill", "isolated-here"):
        os.kill(pid, signal.SIGKILL)
        while True:
            actors = await own.json("actors")
            host = next(one for one in actors["hosts"] if one["name"] == "isolated-here")
            if host["answered"] and host["ready"] and host["pid"] != pid:
                break
    assert all(one["answered"] for one in actors["hosts"])
    async with connected(own) as client:
        claims = (*HELD, "world: delivered", "world: told it is over")
        await whole_run.clean(await Log.open(client), *claims, hosts=(*HOSTED, "isolated-here"))


async def test_each_port_of_ray_refuses_without_the_token(own: Standing) -> None:
    await own.wait_ready()
    token = (own.directory / "ray" / "token").read_text()
    ports = list(_listening(own.pid_of("ray")))
    assert not [name for name, _ in ports if name.startswith("python")], "a monitor listens"
    assert {name for name, _ in ports} >= set(CALLS)
    for name, place in ports:
        if await _speaks_http1(place):
            assert await _post(place) == 401, (name, place)
            continue
        calls = CALLS.get(name, CALLS["ray::HostActor"])
        refused = [await _call(place, call, given) for call in calls for given in ("", "no")]
        assert "UNAUTHENTICATED" in refused, (name, place, refused)
        assert set(refused) <= {"UNAUTHENTICATED", "UNIMPLEMENTED"}, (name, place, refused)
        assert "OK" in [await _call(place, call, token) for call in calls], (name, place)


def _listening(root: int) -> Iterator[tuple[str, Any]]:
    for process in psutil.Process(root).children(recursive=True):
        for connection in process.net_connections():
            if connection.status == psutil.CONN_LISTEN:
                yield process.name(), connection.laddr


def _address(place: Any) -> str:
    everywhere = place.ip in ("::", "0.0.0.0")
    return f"{'127.0.0.1' if everywhere else place.ip.removeprefix('::ffff:')}:{place.port}"


async def _speaks_http1(place: Any) -> bool:
    try:
        await _post(place)
    except httpx.RemoteProtocolError:
        return False
    return True


async def _post(place: Any) -> int:
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.post(f"http://{_address(place)}/get_or_create_runtime_env")
        return answer.status_code


async def _call(place: Any, method: str, token: str) -> str:
    """Call without arguments over HTTP/2; gRPC names a refusal in the first headers."""
    headers = {"content-type": "application/grpc", "te": "trailers"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(http1=False, http2=True, timeout=5) as client:
        url = f"http://{_address(place)}{method}"
        answer = await client.post(url, headers=headers, content=b"\0\0\0\0\0")
    status = str(answer.headers.get("grpc-status", "0"))
    return {"0": "OK", "12": "UNIMPLEMENTED", "16": "UNAUTHENTICATED"}.get(status, status)


async def test_beyond_loopback_a_token_is_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "standfast.yaml"
    config.write_text("web: {address: 0.0.0.0}\n")
    standing = Standing(tmp_path / "state", config)
    process = await asyncio.create_subprocess_exec(
        standing.python,
        "-m",
        "standfast",
        "up",
        "--config",
        str(config),
        env=standing.environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert "web.tokens" in errors.decode()
