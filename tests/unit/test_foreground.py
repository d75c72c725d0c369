"""What keeps Standfast from starting is said in words for people, whoever said it first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from nats.js.errors import ServerError

from events.log import LogLostEndError
from standfast.config.load import load_text
from standfast.paths import StateDirectory
from standfast.supervisor.foreground import EXPECTED, Foreground
from standfast.supervisor.keeping import StartFailedError
from standfast.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

NO_STORAGE = ServerError(code=503, err_code=10047, description="insufficient storage resources")


class Failing:
    """A supervisor that can't start, or can't reload."""

    is_successor = is_demo = False
    directory = None

    def __init__(self, at_start: Exception | None, at_reload: Exception | None = None) -> None:
        self.at_start, self.at_reload = at_start, at_reload
        self.lines: list[str] = []
        self.loaded = load_text(b"{}", "test")

    async def start(self) -> None:
        if self.at_start is not None:
            raise self.at_start

    async def reload(self, _loaded: object) -> int:
        assert self.at_reload is not None
        raise self.at_reload

    async def stop(self) -> None:
        self.said("stopped")

    def said(self, line: str) -> None:
        self.lines.append(line)


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (NO_STORAGE, "the disk of the log is full"),
        (OSError(28, "No space left on device"), "the disk is full"),
        (LogLostEndError("STANDFAST_STATE", 7, 5), "was known up to 7"),
    ],
)
async def test_what_others_say_is_said_as_what_it_means(error: Exception, meant: str) -> None:
    supervisor: Any = Failing(error)
    with pytest.raises(EXPECTED, match=meant):
        await Foreground(supervisor, None).run()
    assert supervisor.lines == ["stopping", "stopped"]


async def test_an_edit_that_can_not_be_put_in_force_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "standfast.yaml"
    path.write_text("{}")
    supervisor: Any = Failing(None, OSError(28, "No space left on device"))
    foreground = Foreground(supervisor, path)
    monkeypatch.setattr(Foreground, "_say_when_ready", lambda _self: asyncio.sleep(0))
    running = asyncio.create_task(foreground.run())
    foreground._edited.set()
    async with asyncio.timeout(5):
        while not supervisor.lines:  # noqa: ASYNC110  (what it says is all there is)
            await asyncio.sleep(0.01)
    assert supervisor.lines[0].startswith("not reloaded: the disk is full (")
    assert not running.done()
    foreground._told.set()
    assert await running == 0


async def test_a_token_that_is_missing_is_named(tmp_path: Path) -> None:
    text = b"log: {url: 'nats://127.0.0.1:1', token: 'env:STANDFAST_NO_SUCH'}"
    supervisor = Supervisor(StateDirectory.make(tmp_path), load_text(text, "t", {}), False, print)
    with pytest.raises(StartFailedError, match=r"log\.token: .*STANDFAST_NO_SUCH is not set"):
        await supervisor.start()
