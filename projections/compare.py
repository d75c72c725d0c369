"""Live projections are compared, row by row, with what the log alone says they must be."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, Text, collate, select

from projections.base import Projection
from projections.catalogue import PROJECTIONS
from projections.database import open_writer, sqlite_url
from projections.positions import ERRORS, read_positions
from projections.runner import Builder
from projections.store import Store, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine, Table

    from events.log import Log
    from projections.base import Row
    from projections.positions import Held

ROWS_A_READ = 1_000
DIFFERENCES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs: in which table, its key, and what is wrong with it."""

    table: str
    key: tuple[Any, ...]
    what: str


async def compare(
    log: Log,
    engine: Engine,
    projections: Sequence[Projection] = PROJECTIONS,
    differences_max: int = DIFFERENCES_MAX,
) -> list[Difference]:
    """Rebuild each projection up to its own position in a temporary file, and compare the rows.

    Gives the first differences; none means that they are equal. The live rows are read in one
    transaction, so that a running projector does not blur them.
    """
    with (
        tempfile.TemporaryDirectory(prefix="standfast-compare-") as folder,
        ThreadPoolExecutor(1) as thread,
        engine.connect() as live,
    ):
        held = read_positions(live)
        found = _unfit(log, projections, held)
        fit = [p for p in projections if p.name in held and not _names(found, p)]
        for until in sorted({held[projection.name].position.sequence for projection in fit}):
            chosen = [p for p in fit if held[p.name].position.sequence == until]
            store = Store(open_writer(sqlite_url(Path(folder) / f"{until}.db")), chosen)
            store.create()
            await Builder(log, store, thread).build(until)
            with store.engine.connect() as rebuilt:
                for projection in chosen:
                    found += islice(_differences(live, rebuilt, projection), differences_max)
            store.engine.dispose()
        return found[:differences_max]


def _names(found: Sequence[Difference], projection: Projection) -> bool:
    return any(difference.key == (projection.name,) for difference in found)


def _unfit(log: Log, projections: Sequence[Projection], held: dict[str, Held]) -> list[Difference]:
    """Say which projections cannot be compared, being of another version or life."""
    found = []
    for projection in projections:
        mine = held.get(projection.name)
        if mine is None:
            what = "it holds nothing yet"
        elif mine.version != projection.version:
            what = f"it is of version {mine.version}, not {projection.version}"
        elif log.identity.place_of(mine.position) is None:
            what = f"it is of another life of the log: {mine.position}"
        else:
            continue
        found.append(Difference("projection_positions", (projection.name,), what))
    return found


def _differences(
    live: Connection, rebuilt: Connection, projection: Projection
) -> Iterator[Difference]:
    for table in projection.tables:
        yield from _merge(table, _rows(live, table), _rows(rebuilt, table))
    errors = ERRORS.c.projection == projection.name
    yield from _merge(ERRORS, _rows(live, ERRORS, errors), _rows(rebuilt, ERRORS, errors))


def _rows(connection: Connection, table: Table, where: Any = True) -> Iterator[Row]:  # noqa: ANN401, FBT002
    """Give a table's rows in the order of their keys, the same order in every database."""
    binary = "C" if connection.dialect.name == "postgresql" else "BINARY"
    order = [
        collate(column, binary) if isinstance(column.type, String | Text) else column
        for column in table.primary_key
    ]
    statement = select(table).order_by(*order)
    if where is not True:
        statement = statement.where(where)
    result = connection.execution_options(yield_per=ROWS_A_READ).execute(statement)
    for row in result.mappings():
        yield dict(row)


def _merge(table: Table, live: Iterator[Row], rebuilt: Iterator[Row]) -> Iterator[Difference]:
    """Walk two ordered runs of rows side by side."""
    left, right = next(live, None), next(rebuilt, None)
    while left is not None or right is not None:
        order = _order(table, left, right)
        if order < 0:
            assert left is not None
            yield Difference(table.name, key_of(table, left), "the log does not give this row")
        elif order > 0:
            assert right is not None
            yield Difference(table.name, key_of(table, right), "the row is missing")
        elif left != right:
            assert left is not None
            assert right is not None
            yield Difference(table.name, key_of(table, left), _what(left, right))
        if order <= 0:
            left = next(live, None)
        if order >= 0:
            right = next(rebuilt, None)


def _order(table: Table, left: Row | None, right: Row | None) -> int:
    if left is None or right is None:
        return 1 if left is None else -1
    ours, theirs = key_of(table, left), key_of(table, right)
    return (ours > theirs) - (ours < theirs)


def _what(left: Row, right: Row) -> str:
    names = [name for name in left if left[name] != right[name]]
    shown = "; ".join(f"{n} is {left[n]!r:.80}, not {right[n]!r:.80}" for n in names[:5])
    return shown or "it differs"
