"""Projections on a real log and a real database: kept live, rebuilt, compared, quarantined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from projections.compare import compare
from projections.database import AlreadyWrittenError, open_reader, sqlite_url
from projections.incident import TIMELINE
from projections.runner import Runner
from projections.service import SERVICES
from tests.history import Recorder
from tests.story import outage, steady

if TYPE_CHECKING:
    from pathlib import Path

    from events.log import Log


@pytest.fixture
async def recorder(log: Log) -> Recorder:
    recorder = Recorder(log)
    await steady(recorder)
    await outage(recorder)
    return recorder


@pytest.mark.usefixtures("recorder")
async def test_rows_say_what_the_log_says(log: Log, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "projections.db")
    runner = Runner(log, url)
    await runner.open()
    await runner.catch_up()
    with open_reader(url).connect() as connection:
        states = connection.execute(select(SERVICES.c.id, SERVICES.c.state)).all()
        assert dict(states) == dict.fromkeys(["demo-database", "demo-cache", "demo-app"], "healthy")
        lines = (
            connection.execute(
                select(TIMELINE.c.text).order_by(
                    TIMELINE.c.sequence, TIMELINE.c.index, TIMELINE.c.part
                )
            )
            .scalars()
            .all()
        )
        assert lines[0] == "First failed probe of demo-database: check tcp: connection refused"
        assert lines[-2:] == ["on-call is to be told: resolved", "Notice delivered: 200 OK"]
        errors = connection.execute(text("select * from projection_errors")).all()
        assert errors == []
    assert await compare(log, runner.store.engine) == []
    await runner.rebuild([p.name for p in runner.store.projections])
    assert await compare(log, runner.store.engine) == []
    with pytest.raises(AlreadyWrittenError):
        await Runner(log, url).open()
    await runner.close()
