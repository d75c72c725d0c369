"""The proxy loses, holds, delays and cuts what its rules say, and passes all else unchanged."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from events.server import ServerAddress, connect
from scenarios.faults.frames import Frame
from scenarios.faults.proxy import Delay, Hold, Loss, NatsProxy, Sight
from tests.fixtures.nats import NatsServer
from tests.waiting import until


@dataclass
class Through:
    """A proxy, a client behind it, and one past it that answers `sf.x` with what it is told."""

    proxy: NatsProxy
    client: Client
    heard: list[bytes]

    async def ask(self, content: bytes, seconds: float = 0.5) -> bytes:
        reply = await self.client.request("sf.x", content, seconds)
        return bytes(reply.data)


@pytest.fixture
async def through(nats_server: NatsServer, client: Client) -> AsyncIterator[Through]:
    heard: list[bytes] = []

    async def answer(message: Msg) -> None:
        heard.append(message.data)
        await message.respond(message.data)

    subscription = await client.subscribe("sf.x", cb=answer)
    await client.flush()
    proxy = NatsProxy(nats_server.port)
    port = await proxy.start()
    address = ServerAddress(f"nats://127.0.0.1:{port}", nats_server.address.token)
    inner = await connect(address, "one")
    yield Through(proxy, inner, heard)
    await inner.close()
    await proxy.stop()
    await subscription.unsubscribe()


async def test_what_is_large_passes_unchanged(through: Through) -> None:
    content = bytes(range(256)) * 3000
    assert await through.ask(content, 5.0) == content
    assert through.proxy.clients() == ["one"]


async def test_the_next_answers_are_lost_though_what_was_said_has_passed(through: Through) -> None:
    loss = Loss("one", left=2)
    through.proxy.add(loss)
    for content in (b"a", b"b"):
        with pytest.raises((TimeoutError, NatsError)):
            await through.ask(content)
    assert await through.ask(b"c") == b"c"
    assert through.heard == [b"a", b"b", b"c"]
    assert loss.lost == 2


async def test_only_the_answer_to_what_holds_the_needle_is_lost(through: Through) -> None:
    loss = Loss("one", left=1, needle=b"needle")
    through.proxy.add(loss)
    assert await through.ask(b"hay") == b"hay"
    with pytest.raises((TimeoutError, NatsError)):
        await through.ask(b"a needle")
    assert await through.ask(b"a needle") == b"a needle"
    assert loss.lost == 1


async def test_other_clients_and_subjects_lose_nothing(through: Through) -> None:
    rules = [Loss("another", left=None), Loss("one", "sfc.", left=None)]
    for rule in rules:
        through.proxy.add(rule)
    assert await through.ask(b"a") == b"a"
    assert [rule.lost for rule in rules] == [0, 0]


async def test_a_share_is_lost_by_chance(through: Through) -> None:
    loss = Loss("one", left=None, share=0.5)
    through.proxy.add(loss)
    asked = [through.ask(str(number).encode()) for number in range(40)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, BaseException) for answer in answers) == loss.lost
    assert 5 < loss.lost < 35


async def test_what_is_held_back_to_the_server_passes_late(through: Through) -> None:
    hold = Hold("one", ("to server",))
    through.proxy.add(hold)
    with pytest.raises((TimeoutError, NatsError)):
        await through.ask(b"late")
    assert through.heard == []
    assert hold.held > 0
    through.proxy.remove(hold)
    await until(lambda: through.heard == [b"late"])
    assert await through.ask(b"next") == b"next"


async def test_what_is_held_back_to_the_client_was_heard(through: Through) -> None:
    through.proxy.add(Hold("one", ("to client",)))
    with pytest.raises((TimeoutError, NatsError)):
        await through.ask(b"a")
    assert through.heard == [b"a"]


async def test_a_connection_that_is_cut_is_made_anew(through: Through) -> None:
    assert through.proxy.cut("another") == 0
    assert through.proxy.cut("one") == 1
    await until(lambda: through.client.stats["reconnects"] == 1 and through.client.is_connected)
    assert await through.ask(b"a") == b"a"


async def test_what_is_delayed_takes_longer(through: Through) -> None:
    delay = Delay("one", 0.2)
    through.proxy.add(delay)
    began = asyncio.get_running_loop().time()
    await through.ask(b"a", 5.0)
    assert asyncio.get_running_loop().time() - began >= 0.4
    assert delay.delayed >= 2


async def test_who_waits_for_a_publish_is_told_when_it_has_passed(through: Through) -> None:
    seen: list[Frame] = []
    through.proxy.add(Sight("one", "sf.", b"needle", seen.append))
    await through.ask(b"hay")
    await through.ask(b"a needle")
    assert [frame.subject for frame in seen] == ["sf.x"]
