"""Whatever happened, and however it was cut into transactions, the rows are the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from events.service import ServiceConfigured, ServiceRetired, ServiceSettings, TcpCheck
from projections.catalogue import PROJECTIONS
from projections.database import open_writer, sqlite_url
from projections.positions import ERRORS, POSITIONS
from projections.store import Store, key_of
from tests.history import Recorder
from tests.memory_log import MemoryLog
from tests.story import NEEDS, Outage, become_healthy, go_down

if TYPE_CHECKING:
    from projections.base import ReadCommit, Row

names = st.sampled_from(tuple(NEEDS))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("configure"), names),
        st.tuples(st.just("retire"), names),
        st.tuples(st.just("healthy"), names),
        st.tuples(st.just("down"), names),
        st.tuples(st.sampled_from(["fail", "tell", "mend", "prove"]), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=40,
)


async def tell(history: list[tuple[str, str | int]]) -> list[ReadCommit]:
    """Give the commits of a history, sensible or not: recoveries before their plans too."""
    log = MemoryLog()
    recorder = Recorder(log)
    outages = {number: Outage(recorder, number) for number in (1, 2, 3)}
    for step, what in history:
        if isinstance(what, int):
            await getattr(outages[what], step)()
        else:
            await _happen(recorder, step, what)
    return log.commits()


async def _happen(recorder: Recorder, step: str, name: str) -> None:
    if step == "healthy":
        await become_healthy(recorder, name)
    elif step == "down":
        await go_down(recorder, name, "tcp", "refused")
    elif step == "retire":
        gone = ServiceRetired(reason="left", configuration_hash="x")
        await recorder.append(f"service/{name}", gone)
    else:
        wish = ServiceSettings(checks=(TcpCheck(name="tcp", port=1),), depends_on=NEEDS[name])
        event = ServiceConfigured(settings=wish, configuration_hash="x")
        await recorder.append(f"service/{name}", event)


def rows_of(store: Store) -> dict[str, dict[tuple[object, ...], Row]]:
    found: dict[str, dict[tuple[object, ...], Row]] = {}
    with store.engine.connect() as connection:
        for table in (*store.tables, POSITIONS, ERRORS):
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
            found[table.name] = {key_of(table, row): row for row in rows}
    return found


def build(folder: str, commits: list[ReadCommit], cuts: list[int]) -> Store:
    """Project commits in transactions that end at the cuts; some are handed over twice."""
    store = Store(open_writer(sqlite_url(Path(folder) / f"{len(cuts)}.db")), PROJECTIONS)
    store.create()
    start = 0
    for end in [*sorted({cut % len(commits) + 1 for cut in cuts}), len(commits)]:
        if end > start:
            store.apply(commits[max(0, start - 2) : end], commits[end - 1].position)
            store.forget()
            start = end
    return store


@settings(max_examples=40, deadline=None)
@given(history=steps, cuts=st.lists(st.integers(0, 400), min_size=1, max_size=30))
def test_rows_do_not_depend_on_where_transactions_end(
    history: list[tuple[str, str | int]], cuts: list[int]
) -> None:
    commits = asyncio.run(tell(history))
    with tempfile.TemporaryDirectory() as folder:
        at_once, in_parts = build(folder, commits, []), build(folder, commits, cuts)
        assert rows_of(at_once) == rows_of(in_parts)
        assert len(rows_of(at_once)["journal"]) == sum(len(c.envelopes) for c in commits)
        at_once.engine.dispose()
        in_parts.engine.dispose()
