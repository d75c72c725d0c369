"""A host is the single writer of its entities, answers after the commit, and outlives its death."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack
import pytest

from actors.placement import PlaceBuckets
from actors.runtime import mailroom, taking_back
from actors.runtime.commands import Answer, NoAnswerError, Outcome, decode_answer
from actors.runtime.description import ask_host
from actors.runtime.host import Host
from actors.runtime.letters import ReleaseEntity
from actors.runtime.ownership import PLACEMENT_ADDRESS, Ownership
from actors.runtime.solo import SoloWriter
from actors.service import ConfigureService, RequestProbe
from events.address import EntityAddress
from events.host import HostBucketsGivenUp, HostReady, HostStarted
from events.ids import new_id
from events.log import Log
from events.placement import BucketRange
from events.service import ServiceConfigured, ServiceProbeRequested
from events.subjects import command_subject
from tests.fixtures.checked import ACKNOWLEDGED, CHAINED, HELD
from tests.hosting import AUTHOR, SERVICES, SETTINGS, Hosting, states_of
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.checked import CheckedRun
    from tests.fixtures.nats import NatsServer

S0 = EntityAddress("service", "s0")
PROGRAM = Path(__file__).parent / "host_program.py"


async def probe_many(hosting: Hosting, services: int, count: int) -> dict[str, Answer]:
    """Ask for probes all at once; gives the answers by each command's reason."""
    ids = {f"probe-{number}": new_id() for number in range(count)}
    answers = await asyncio.gather(
        *[
            hosting.send(
                f"service/s{number % services}",
                RequestProbe(reason=reason),
                command_id=ids[reason],
                patience_seconds=60.0,
            )
            for number, reason in enumerate(ids)
        ]
    )
    return dict(zip(ids, answers, strict=True))


async def test_two_hosts_of_one_bucket_do_each_command_once_and_one_gives_it_up(
    hosting: Hosting, checked_run: CheckedRun
) -> None:
    sender = checked_run.commands(hosting.log.client)
    await hosting.place(h1=SERVICES)
    first = await hosting.start()
    await hosting.configure("s0")
    second = await hosting.start("h2")
    await second.own(Ownership(epoch=1, ranges=first.ownership.ranges))
    sent = 0

    async def is_given_up() -> bool:
        return bool(await hosting.events(HostBucketsGivenUp))

    async with asyncio.timeout(60):
        while not await is_given_up():
            await asyncio.gather(
                *[sender.send(S0, RequestProbe(reason=f"r{sent + number}")) for number in range(10)]
            )
            sent += 10
    reasons = [event.reason for event in await hosting.events(ServiceProbeRequested)]
    assert sorted(reasons) == sorted(f"r{number}" for number in range(sent))
    bucket = S0.bucket
    assert {(one.kind, one.bucket) for one in await hosting.events(HostBucketsGivenUp)} == {
        ("service", bucket)
    }
    owners = [host for host in (first, second) if host.ownership.owns_bucket("service", bucket)]
    assert len(owners) == 1
    assert not hosting.task(first).done()
    assert not hosting.task(second).done()
    assert (await hosting.send("service/s0", RequestProbe(reason="last"))).outcome == Outcome.DONE
    await checked_run.clean(hosting.log, ACKNOWLEDGED, *CHAINED)


async def test_a_bucket_that_was_lost_to_a_double_is_taken_back_when_the_double_is_dead(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "TAKE_BACK_SECONDS", 0.5)
    await hosting.place(h1=SERVICES)
    first = await hosting.start()
    await hosting.configure("s0")
    entity = first.mailroom.entity(EntityAddress("service", "s0"))
    first._give_up_bucket(entity)
    assert not first.ownership.owns(entity.address)
    answer = await hosting.send("service/s0", RequestProbe(reason="after"), patience_seconds=15.0)
    assert answer.outcome is Outcome.DONE
    assert first.ownership.owns(entity.address)
    await hosting.check_chains()


async def test_a_second_host_that_comes_late_reads_again_and_decides_on_the_truth(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    first = await hosting.start()
    second = await hosting.start("h2")
    await second.own(Ownership(epoch=1, ranges=first.ownership.ranges))
    first.ownership = Ownership(epoch=1)
    await hosting.configure("s0")
    first.ownership = second.ownership
    second.ownership = Ownership(epoch=1)
    assert (await hosting.configure("s0")).outcome in {Outcome.UNCHANGED, Outcome.DONE}
    assert (await hosting.send("service/s0", RequestProbe(reason="x"))).outcome == Outcome.DONE
    assert len(await hosting.events(ServiceConfigured)) == 1
    await hosting.check_chains()


@pytest.fixture
def host_process(nats_server: NatsServer) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Give the list of host processes; the test starts them with `start_process`."""
    del nats_server
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait(10)


def start_process(
    started: list[subprocess.Popen[bytes]], hosting: Hosting, name: str = "h1"
) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TEST_LOG_URL": hosting.address.url,
        "TEST_LOG_TOKEN": hosting.address.token,
        "TEST_HOST": name,
    }
    process = subprocess.Popen([sys.executable, str(PROGRAM)], env=environment)
    started.append(process)
    return process


@pytest.mark.parametrize("services", [1, 7])
async def test_a_host_killed_while_commands_flow_does_each_accepted_command_once(
    hosting: Hosting,
    host_process: list[subprocess.Popen[bytes]],
    checked_run: CheckedRun,
    services: int,
) -> None:
    await hosting.place(h1=SERVICES)
    process = start_process(host_process, hosting)
    await hosting.until_event(HostReady)
    for number in range(services):
        await hosting.configure(f"s{number}")
    sender = checked_run.commands(hosting.log.client)
    flowing = asyncio.gather(
        *[
            sender.send(EntityAddress("service", f"s{number % services}"), RequestProbe(reason="x"))
            for number in range(200)
        ]
    )
    for kills in range(2):
        await hosting.until_event(ServiceProbeRequested, count=1 + 80 * kills)
        with checked_run.injected("kill", "h1"):
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            process = start_process(host_process, hosting)
            await hosting.until_event(HostStarted, count=kills + 2)
    answers = await flowing
    assert all(answer is not None and answer.accepted for answer in answers)
    assert len(await hosting.events(ServiceProbeRequested)) == 200
    await checked_run.clean(hosting.log, ACKNOWLEDGED, *HELD, hosts=("h1",))


async def test_a_command_given_again_answers_duplicate_and_where_its_facts_are(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    first = await hosting.send("service/s0", RequestProbe(reason="x"), command_id="mine")
    again = await hosting.send("service/s0", RequestProbe(reason="x"), command_id="mine")
    assert (first.outcome, again.outcome) == (Outcome.DONE, Outcome.DUPLICATE)
    assert again.sequence >= first.sequence > 0
    await hosting.kill(host)
    await hosting.start()
    after = await hosting.send("service/s0", RequestProbe(reason="x"), command_id="mine")
    assert after.outcome == Outcome.DUPLICATE
    assert len(await hosting.events(ServiceProbeRequested)) == 1


async def send_raw(log: Log, address: str, command: object, arguments: object) -> Answer:
    """Send what no client of ours would send."""
    fields = (1, address, command, arguments, new_id(), "p", "/s", datetime.now(UTC), "c")
    payload = msgpack.packb((*fields, None, None, None, None), datetime=True)
    subject = command_subject(EntityAddress("service", "s0"))
    return decode_answer((await log.client.request(subject, payload, 5)).data)


async def test_invalid_arguments_are_named_by_place_and_never_by_value(
    hosting: Hosting, log: Log
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    head = await log.head_sequence()
    cases: list[tuple[object, object, str]] = [
        ("RequestProbe", {"reason": {"password": "hunter2"}}, "reason"),
        ("RequestProbe", {"reason": "x", "hunter2x": 1, "more": "hunter2"}, "more"),
        ("RequestProbe", {}, "reason"),
        ("RequestProbe", [], "not a request"),
        ("FlyAway", {}, "RequestProbe"),
        ("Tick", {}, "knows no command"),
        ("ParkEntity", {}, "knows no command"),
        (["RequestProbe"], {}, "not a request"),
        (None, None, "not a request"),
    ]
    for command, arguments, place in cases:
        answer = await send_raw(log, "service/s0", command, arguments)
        assert answer.outcome == Outcome.INVALID
        assert place in answer.message
        assert "hunter2" not in answer.message.replace("hunter2x", "")
    for address in ("flag/x", "service", "service/", 7, "policy/nobody"):
        answer = await send_raw(log, address, "RequestProbe", {"reason": "x"})  # type: ignore[arg-type]
        assert answer.outcome == Outcome.INVALID
    subject = command_subject(EntityAddress("service", "s0"))
    for payload in (b"", b"\xc1", b"\x01", os.urandom(50)):
        reply = await log.client.request(subject, payload, 5)
        assert b"invalid" in reply.data
    assert await log.head_sequence() == head
    assert not hosting.task(host).done()


async def test_an_unknown_kind_is_refused_with_the_kinds_there_are(
    hosting: Hosting, log: Log
) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    answer = await send_raw(log, "submarine/one", "Dive", {})
    assert answer.outcome == Outcome.INVALID
    assert "kinds are alert, host, incident" in answer.message
    assert await log.head_sequence() == 3


async def test_an_entity_that_nobody_hosts_gets_no_answer(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    with pytest.raises(NoAnswerError, match="alert/x"):
        await hosting.send("alert/x", RequestProbe(reason="x"), patience_seconds=0.3)


async def test_a_full_mailbox_answers_busy_and_the_rest_is_done(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailroom, "MAILBOX_MAX", 3)
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    told: list[str] = []
    submit, submitted = host.mailroom.submit, []

    def note(entity: object, letter: object) -> None:
        answer = letter.answer  # type: ignore[attr-defined]

        def answered(given: Answer) -> None:
            told.append(given.outcome)
            answer(given)

        letter.answer = answered  # type: ignore[attr-defined]
        submitted.append(letter)
        submit(entity, letter)  # type: ignore[arg-type]

    monkeypatch.setattr(type(host.mailroom), "submit", lambda _self, e, letter: note(e, letter))
    answers = await probe_many(hosting, 1, 20)
    assert all(answer.accepted for answer in answers.values())
    assert Outcome.BUSY in told
    assert len(await hosting.events(ServiceProbeRequested)) == 20


async def test_what_waits_in_a_mailbox_is_committed_together(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    before = await hosting.log.head_sequence()
    await probe_many(hosting, 1, 200)
    commits = await hosting.log.head_sequence() - before
    assert len(await hosting.events(ServiceProbeRequested)) == 200
    assert commits <= 40
    del host


async def test_facts_too_large_for_one_commit_are_split_in_order(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    entity = host.mailroom.entity(EntityAddress("service", "s0"))
    large = "x" * 200_000
    entity.draining = True  # hold the drain back until all commands wait
    sending = [
        asyncio.create_task(hosting.send("service/s0", RequestProbe(reason=f"{number:02} {large}")))
        for number in range(20)
    ]
    await until(lambda: len(entity.mailbox) == 20)
    order = [letter.arguments["reason"][:2] for letter in entity.mailbox]
    await host.mailroom._drain(entity)
    assert {(await one).outcome for one in sending} == {Outcome.DONE}
    stored = await hosting.events(ServiceProbeRequested)
    assert [event.reason[:2] for event in stored] == order
    await hosting.check_chains()


async def test_commands_whose_answers_were_all_lost_are_known_when_they_come_again(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    entity = host.mailroom.entity(EntityAddress("service", "s0"))
    entity.draining = True
    ids = [new_id() for _ in range(400)]
    sending = [
        asyncio.create_task(hosting.send("service/s0", RequestProbe(reason=one), command_id=one))
        for one in ids
    ]
    await until(lambda: len(entity.mailbox) == len(ids))
    for letter in entity.mailbox:
        letter.answer = lambda _answer: None
    for task in sending:
        task.cancel()
    await host.mailroom._drain(entity)
    await hosting.kill(host)
    await hosting.start()
    again = [hosting.send("service/s0", RequestProbe(reason=one), command_id=one) for one in ids]
    assert {answer.outcome for answer in await asyncio.gather(*again)} == {Outcome.DUPLICATE}
    assert len(await hosting.events(ServiceProbeRequested)) == len(ids)


async def test_one_fact_too_large_is_refused_and_the_entity_goes_on(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    await hosting.configure("s0")
    huge = RequestProbe(reason="x" * (hosting.log.commit_bytes_max - 100))
    answer = await hosting.send("service/s0", huge)
    assert (answer.outcome, "too large" in answer.message) == (Outcome.INVALID, True)
    assert (await hosting.send("service/s0", RequestProbe(reason="x"))).outcome == Outcome.DONE


async def test_a_bucket_passes_from_host_to_host_while_commands_flow(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES, h2=())
    first = await hosting.start("h1")
    second_starting = asyncio.create_task(hosting.start("h2"))
    for number in range(5):
        await hosting.configure(f"s{number}")
    flowing = asyncio.create_task(probe_many(hosting, 5, 300))
    await hosting.until_event(ServiceProbeRequested, count=10)
    await hosting.place(h1=("platform", "topology"), h2=("service",))
    second = await second_starting
    answers = await flowing
    assert all(answer.accepted for answer in answers.values())
    reasons = [event.reason for event in await hosting.events(ServiceProbeRequested)]
    assert sorted(reasons) == sorted(answers)
    await hosting.check_chains()
    await until(lambda: second.ownership.epoch == first.ownership.epoch == 2)
    assert [one.kind for one in second.ownership.ranges] == ["service"]
    assert not any(address.kind == "service" for address in first.mailroom.entities)
    assert await hosting.events(HostBucketsGivenUp) == []
    assert (await hosting.configure("s9")).accepted


async def test_only_a_range_of_buckets_passes(hosting: Hosting) -> None:
    await hosting.place(h1=("service",))
    first = await hosting.start("h1")
    for number in range(40):
        await hosting.configure(f"s{number}")
    low, high = BucketRange(kind="service", last=127), BucketRange(kind="service", first=128)
    await hosting.place(h1=(low,), h2=(high,))
    second = await hosting.start("h2")
    await until(lambda: first.ownership.epoch == 2 and first.is_ready)
    assert {one.bucket < 128 for one in first.mailroom.entities} == {True}
    assert {one.bucket < 128 for one in second.mailroom.entities} == {False}
    assert len(first.mailroom.entities) + len(second.mailroom.entities) == 40
    answers = await probe_many(hosting, 40, 80)
    assert {answer.outcome for answer in answers.values()} == {Outcome.DONE}


async def test_what_is_in_memory_is_what_the_log_says(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    for number in range(10):
        await hosting.configure(f"s{number}")
        await hosting.report(f"s{number}", "healthy" if number % 2 else "down")
    await probe_many(hosting, 10, 50)
    live = states_of(host)
    folded = await hosting.folded()
    assert {address: state[0] for address, state in live.items()} == {
        address: state for address, state in folded.items() if address.kind in SERVICES
    }
    await hosting.kill(host)
    assert states_of(await hosting.start()) == live


async def test_an_isolated_entity_lives_in_its_own_host_and_comes_back(hosting: Hosting) -> None:
    await hosting.place(h1=("service",))
    first = await hosting.start("h1")
    await hosting.configure("s0")
    await hosting.configure("s1")
    writer = await SoloWriter.open(hosting.log, AUTHOR, "test", PLACEMENT_ADDRESS)
    ranges: dict[str, tuple[BucketRange, ...]] = {"h1": (BucketRange(kind="service"),)}
    await writer.give(PlaceBuckets(hosts=ranges, isolated={"service/s0": "own"}))
    own = await hosting.start("own")
    await until(lambda: first.ownership.epoch == 2 and first.is_ready)
    address = EntityAddress("service", "s0")
    assert list(own.mailroom.entities) == [address]
    assert address not in first.mailroom.entities
    assert (await hosting.report("s0", "down")).outcome == Outcome.DONE
    assert (await hosting.report("s1", "down")).outcome == Outcome.DONE
    await first.write_checkpoints()
    await writer.give(PlaceBuckets(hosts=ranges))
    await until(lambda: first.ownership.epoch == 3 and first.is_ready)
    assert first.mailroom.entities[address].state == (await hosting.folded())[address]
    await hosting.kill(first)
    again = await hosting.start("h1")
    assert again.mailroom.entities[address].state == (await hosting.folded())[address]


async def test_a_host_says_what_it_hosts(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start("h1", node="node-1")
    await hosting.configure("s0")
    described = await ask_host(hosting.log.client, "h1")
    assert (described.answered, described.pid, described.node) == (True, os.getpid(), "node-1")
    assert described.kinds == ("platform", "service", "topology")
    assert [(one["kind"], one["id"], one["state"]) for one in described.entities] == [
        ("service", "s0", "Watched")
    ]
    await hosting.kill(host)
    assert not (await ask_host(hosting.log.client, "h1")).answered


async def test_an_entity_that_only_declined_leaves_nothing(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    head = await hosting.log.head_sequence()
    answer = await hosting.send("service/nobody", RequestProbe(reason="x"))
    assert answer.outcome == Outcome.DECLINED
    assert (await hosting.send("service/nobody", ReleaseEntity(reason="x"))).accepted
    assert await hosting.log.head_sequence() == head
    await until(lambda: not host.mailroom.entities)


async def test_the_log_may_be_killed_under_a_host(
    own_server: NatsServer, own_hosting: Hosting
) -> None:
    await own_hosting.place(h1=SERVICES)
    host = await own_hosting.start()
    for number in range(5):
        await own_hosting.configure(f"s{number}")
    flowing = asyncio.create_task(probe_many(own_hosting, 5, 100))
    await until(lambda: any(e.head.sequence > 8 for e in host.mailroom.entities.values()))
    own_server.kill()
    own_server.start()
    answers = await flowing
    assert all(answer.accepted for answer in answers.values())
    reasons = [event.reason for event in await own_hosting.events(ServiceProbeRequested)]
    assert sorted(reasons) == sorted(answers)
    await own_hosting.check_chains()
    assert not own_hosting.task(host).done()


async def test_a_host_crashes_rather_than_work_on_when_it_is_broken(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosting.place(h1=SERVICES)
    host: Host = await hosting.start()

    async def broken(*_arguments: object) -> None:
        message = "broken"
        raise AssertionError(message)

    monkeypatch.setattr(type(host.mailroom.drainer), "_commit", broken)
    with pytest.raises(NoAnswerError):
        await hosting.send(
            "service/s0",
            ConfigureService(settings=SETTINGS, configuration_hash="hash"),
            patience_seconds=0.5,
        )
    await until(lambda: hosting.task(host).done())
    assert isinstance(hosting.task(host).exception(), AssertionError)


async def test_a_host_says_that_it_has_settled_when_it_has_read_what_it_owns(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    await hosting.send("service/s0", ConfigureService(settings=SETTINGS, configuration_hash="hash"))
    known: list[int] = []

    async def run(self: Host) -> None:
        self.settled = lambda: known.append(len(self.mailroom.entities))
        await running(self)

    running = Host.run
    monkeypatch.setattr(Host, "run", run)
    host = await hosting.start("h1")
    assert known == [len(host.mailroom.entities)] == [1]
