"""Projections that hang hold up the watchdog for a moment, and no thread that others need."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from standfast.watchdog import handing_over as module
from standfast.watchdog.handing_over import HandingOver
from standfast.watchdog.pages import Page

if TYPE_CHECKING:
    import pytest

PAGE = Page(
    id="p",
    alert="ServiceDown:db",
    labels={},
    annotations={},
    receivers=("team",),
    services=("db",),
    opened=datetime(2026, 11, 25, 12, tzinfo=UTC),
)


async def test_what_can_not_be_asked_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    going, before = threading.Event(), threading.active_count()
    monkeypatch.setattr(module, "READ_SECONDS_MAX", 0.05)
    monkeypatch.setattr(HandingOver, "_look", lambda _self, _page: going.wait(20))
    handing_over, began = HandingOver("sqlite:////none"), time.monotonic()
    fates = [await handing_over.fate_of(PAGE) for _ in range(20)]
    assert fates == ["open"] * 20
    assert time.monotonic() - began < 1, "only the first are waited for"
    assert threading.active_count() <= before + 1
    going.set()
