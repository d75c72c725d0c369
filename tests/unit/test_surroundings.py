"""Clocks and chance belong to the process whose task runs, be it a simulated one."""

import asyncio
from contextvars import copy_context
from datetime import UTC, datetime

from effects.clock import SystemClock
from events.ids import new_id
from events.surroundings import SURROUNDINGS, now


class Stopped:
    """A process for which no time passes."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic_seconds(self) -> float:
        return 5.0

    def random_bytes(self, count: int) -> bytes:
        return b"\x07" * count


async def test_tasks_inherit_the_surroundings_of_who_starts_them() -> None:
    context = copy_context()
    context.run(SURROUNDINGS.set, Stopped())

    async def look() -> tuple[datetime, float, str]:
        await asyncio.sleep(0)
        return now(), SystemClock().monotonic_seconds(), await asyncio.create_task(identify())

    async def identify() -> str:
        return new_id()

    seen = await asyncio.create_task(look(), context=context)
    assert seen == (datetime(2026, 1, 1, tzinfo=UTC), 5.0, "019b76daa800" + "07" * 10)


def test_ids_of_a_machine_differ_and_sort_by_time() -> None:
    first, second = new_id(), new_id()
    assert first != second
    assert first[:12] <= second[:12]
