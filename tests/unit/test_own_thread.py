"""Work that may hang has a thread of its own: in order, bounded, and waited for only so long."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from effects.own_thread import BusyError, OwnThread
from tests.waiting import until


async def test_work_is_done_in_order_and_gives_what_it_gives() -> None:
    thread = OwnThread("test", 10)
    done: list[int] = []
    for number in range(5):
        thread.begin(partial(done.append, number))
    assert await thread.do(lambda: len(done), 5) == 5
    assert done == list(range(5))
    thread.close()


async def test_what_it_raises_is_raised_and_the_thread_goes_on() -> None:
    thread = OwnThread("test", 10)
    with pytest.raises(ZeroDivisionError):
        await thread.do(lambda: 1 // 0, 5)
    assert await thread.do(lambda: 7, 5) == 7
    thread.close()


async def test_who_hangs_holds_up_nobody_and_takes_one_thread() -> None:
    thread, going = OwnThread("hangs", 2), threading.Event()
    with pytest.raises(TimeoutError):
        await thread.do(going.wait, 0.01)
    await until(thread._work.empty)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await thread.do(going.wait, 0.01)
    with pytest.raises(BusyError):
        await thread.do(going.wait, 0.01)
    assert [one.name for one in threading.enumerate()].count("hangs") == 1
    names = await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    assert names, "the pool that all share is free"
    going.set()
    await until(thread._work.empty)
    assert await thread.do(lambda: 7, 5) == 7
    thread.close()
    await until(lambda: not thread._thread.is_alive())
