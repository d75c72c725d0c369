"""A prober that can't open the log tries again, and leaves no connection behind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from events.log import Log, LogUnavailableError
from standfast.roles import outpost


class Client:
    def __init__(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


async def test_each_try_that_fails_closes_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[Client] = []

    async def connect(_address: object, _name: str) -> Client:
        clients.append(Client())
        return clients[-1]

    async def open_log(client: Client) -> Client:
        if len(clients) < 4:
            message = "the log is closed: it is being restored"
            raise LogUnavailableError(message)
        return client

    monkeypatch.setattr(outpost, "connect", connect)
    monkeypatch.setattr(outpost, "JOIN_SECONDS", 0.001)
    monkeypatch.setattr(Log, "open", open_log)
    situation: Any = SimpleNamespace(runtime=SimpleNamespace(address="nats://127.0.0.1:1"))
    log: Any = await outpost._join(situation)
    assert log is clients[-1]
    assert [one.is_closed for one in clients] == [True, True, True, False]
