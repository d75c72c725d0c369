"""Whatever is killed or stopped, an effect begins at most once and every intent has one end."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nats.errors import NoRespondersError

from actors.recovery import CancelRecovery
from actors.runtime.handing import Errand, encode_errand
from actors.service import RetireService
from effects.recovery.child import Running
from effects.recovery.process import ChildProcesses
from events.address import EntityAddress
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
    Intent,
)
from events.recovery import RecoveryCancelled
from events.subjects import STOP_CHILDREN_SUBJECT, executor_subject
from standfast.roles.executor import STOPPED
from tests.integration.effect_world import World, a_world, an_executor, eventually
from tests.waiting import is_gone, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from events.log import Log
    from tests.fixtures.checked import CheckedRun
    from tests.fixtures.nats import NatsServer


@pytest.fixture
async def world(log: Log) -> AsyncIterator[World]:
    async with a_world(log) as running:
        yield running


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def a_command(script: str) -> dict[str, Any]:
    return {"recovery": {"effect": "command.run", "command": shell(script)}}


def waiting(folder: Path) -> str:
    """A script that says it began, waits for a file, and says it is done."""
    place = shlex.quote(str(folder))
    return (
        f"echo $$ >> {place}/began; "
        f"while [ ! -e {place}/go ]; do sleep 0.02; done; echo done >> {place}/done"
    )


def variables_of(pid: int) -> dict[str, str]:
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(one.partition("=")[::2] for one in variables if one.startswith("STANDFAST_"))


async def wish_of(pid: int) -> dict[str, str]:
    """Give what a child's environment says of the wish it follows from, once it is the program."""
    await until(lambda: "STANDFAST_RUN" in variables_of(pid))
    found = variables_of(pid)
    found.pop("STANDFAST_RUN")
    return found


async def test_a_command_runs_once_with_its_key_and_fence(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    script = (
        f"echo $STANDFAST_IDEMPOTENCY_KEY $STANDFAST_FENCE $STANDFAST_SERVICE "
        f">> {tmp_path}/ledger; echo all is well"
    )
    await world.configure("db", **a_command(script))
    with an_executor(nats_server, tmp_path):
        entity = await world.recover("db", "command.run")
        end = await world.end_of(entity)
    assert isinstance(end, EffectSucceeded), end
    assert end.detail == "all is well"
    key, fence, service = lines_of(tmp_path / "ledger")[0].split()
    assert (key, service) == ("recovery/db:command.run#1", "db")
    commits = [one async for one in world.log.read_entity(entity)]
    assert int(fence) == commits[0].position.sequence
    assert len(lines_of(tmp_path / "ledger")) == 1


async def test_a_failing_command_says_its_last_line(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_command("echo first; echo no disk >&2; exit 3"))
    with an_executor(nats_server, tmp_path):
        end = await world.end_of(await world.recover("db", "command.run"))
    assert isinstance(end, EffectFailed)
    assert end.reason == "the command ended with code 3: no disk"


async def test_a_command_is_killed_with_its_group_at_its_deadline(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    script = (
        f"(echo $$ > {tmp_path}/inner; exec sleep 600) & sleep 600 & echo $! > {tmp_path}/pid; wait"
    )
    await world.configure("db", **a_command(script))
    with an_executor(nats_server, tmp_path):
        entity = await world.recover("db", "command.run", timeout_seconds=1.5)
        end = await world.end_of(entity)
        assert isinstance(end, EffectOutcomeUnknown), end
        assert "killed at its deadline" in end.reason
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: is_gone(pid))


async def test_kill_9_between_begun_and_ended_is_unknown_and_not_done_again(
    world: World, nats_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    await world.configure("db", **a_command(waiting(tmp_path)))
    with an_executor(nats_server, tmp_path) as executor:
        entity = await world.recover("db", "command.run")
        await until(lambda: lines_of(tmp_path / "began"))
        executor.kill()
        pid = int(lines_of(tmp_path / "began")[0])
        await until(lambda: is_gone(pid))
        (tmp_path / "go").touch()
        executor.start()
        end = await world.end_of(entity)
    assert isinstance(end, EffectOutcomeUnknown)
    assert "its executor ended" in end.reason
    assert len(lines_of(tmp_path / "began")) == 1
    assert not (tmp_path / "done").exists()
    await checked_run.clean(world.log, "world: ended")


async def test_what_ended_while_no_host_listened_is_reported_after_a_kill(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_command(waiting(tmp_path)))
    with an_executor(nats_server, tmp_path) as executor:
        entity = await world.recover("db", "command.run")
        await until(lambda: lines_of(tmp_path / "began"))
        await world.stop_host()
        (tmp_path / "go").touch()
        await until(lambda: b"Succeeded" in (tmp_path / "journal" / "journal").read_bytes())
        executor.kill()
        await world.start_host()
        executor.start()
        assert isinstance(await world.end_of(entity), EffectSucceeded)
    assert len(lines_of(tmp_path / "began")) == 1
    await world.one_end_for_each(entity)


async def test_a_cancelled_recovery_kills_its_command_and_says_so(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_command(waiting(tmp_path)))
    with an_executor(nats_server, tmp_path):
        entity = await world.recover("db", "command.run")
        await until(lambda: lines_of(tmp_path / "began"))
        cancel = CancelRecovery(by="ann", reason="I do it")
        assert (await world.commands.send(entity, cancel)).accepted
        assert isinstance(await world.end_of(entity), EffectCancelled)
        assert isinstance((await world.events(entity))[-1], RecoveryCancelled)
    pid = int(lines_of(tmp_path / "began")[0])
    await until(lambda: is_gone(pid))


async def test_an_executor_that_was_stopped_begins_nothing_after_the_deadline(
    world: World, nats_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    await world.configure("db", **a_command(checked_run.entry("db")))
    await world.configure("app", **a_command(checked_run.entry("app")))
    with an_executor(nats_server, tmp_path) as executor:
        executor.send(signal.SIGSTOP)
        entity = await world.recover("db", "command.run", timeout_seconds=1.0)
        assert isinstance(await world.end_of(entity), EffectOutcomeUnknown)
        executor.send(signal.SIGCONT)
        other = await world.recover("app", "command.run")
        assert isinstance(await world.end_of(other), EffectSucceeded)
    (line,) = lines_of(checked_run.directory / "ledger-command.jsonl")
    assert '"alert":"app"' in line
    await checked_run.clean(world.log, "world: ended", "world: acted", "world: in time")


async def test_an_executor_that_was_stopped_in_the_middle_takes_no_further_step(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    """The child is told to end; then the executor freezes, and its successor restarts it."""
    script = (
        f"echo $$ >> {tmp_path}/started; trap 'echo told >> {tmp_path}/told' TERM; "
        "while :; do sleep 0.02; done"
    )
    child = {"command": shell(script), "stop_timeout_seconds": 1.0}
    await world.configure("db", process=child)
    with an_executor(nats_server, tmp_path) as executor:
        await until(lambda: lines_of(tmp_path / "started"))
        entity = await world.recover("db", "process.restart", timeout_seconds=2.5, attempts_max=2)
        await until(lambda: lines_of(tmp_path / "told"))
        executor.send(signal.SIGSTOP)
        assert isinstance(await world.end_of(entity), EffectOutcomeUnknown)
        executor.send(signal.SIGCONT)
        assert isinstance(await world.end_of(entity, 2), EffectSucceeded)
        executor.end()
        await world.one_end_for_each(entity)
    assert len(lines_of(tmp_path / "started")) == 2


async def test_the_same_errand_again_is_answered_and_not_begun_again(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_command(f"echo ran >> {tmp_path}/ledger"))
    with an_executor(nats_server, tmp_path) as executor:
        entity = await world.recover("db", "command.run")
        await world.end_of(entity)
        payload = encode_errand(await errand_of(world, entity))
        for _ in range(3):
            answer = await world.log.client.request(executor_subject("executor"), payload, 5.0)
            assert answer.data == b"accepted"
        executor.kill()
        executor.start()
        await world.log.client.request(executor_subject("executor"), payload, 5.0)
        other = await world.recover("db", "process.start")  # an errand after it
        await world.end_of(other)
    assert lines_of(tmp_path / "ledger") == ["ran"]


async def errand_of(world: World, entity: EntityAddress) -> Errand:
    async for stored in world.log.read_entity(entity):
        for one in stored.envelopes():
            if isinstance(one.event, EffectIntended):
                return Errand(
                    entity,
                    one.event.intent,
                    one.position.sequence,
                    one.id,
                    one.origin.correlation_id,
                )
    raise AssertionError("no intent")


async def test_what_is_not_an_errand_is_not_answered_and_harms_nobody(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_command("true"))
    with an_executor(nats_server, tmp_path):
        for payload in (b"", b"\xc1", b"\x93\x01\x02\x03", b"\x97\x02\x02\x03\x00\x00\x00\x00"):
            with pytest.raises(TimeoutError):
                await _ask_once_it_listens(world, payload)
        end = await world.end_of(await world.recover("db", "command.run"))
    assert isinstance(end, EffectSucceeded)


async def _ask_once_it_listens(world: World, payload: bytes) -> None:
    while True:
        try:
            await world.log.client.request(executor_subject("executor"), payload, 0.2)
        except NoRespondersError:
            await asyncio.sleep(0.05)
        else:
            return


async def test_an_effect_that_needs_a_later_capability_is_refused(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    """The report of this made-up intent is declined; the journal keeps what it was."""
    await world.configure("db", **a_command("true"))
    with an_executor(nats_server, tmp_path) as executor:
        entity = await world.recover("db", "command.run")
        await world.end_of(entity)
        errand = await errand_of(world, entity)
        wish = errand.intent.model_copy(update={"effect": "backup.run", "number": 7})
        strange = Errand(entity, Intent.model_validate(wish.model_dump()), 1, "c", "c")
        subject = executor_subject("executor")
        await world.log.client.request(subject, encode_errand(strange), 5.0)
        journal = tmp_path / "journal" / "journal"
        await until(lambda: b"declined: intent 7 is not open" in journal.read_bytes())
        executor.end()
    assert b"backup.run needs a backup engine" in journal.read_bytes()


# --- children of services ---------------------------------------------------------------------


def a_child(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    script = f"echo {name} >> {folder}/order; exec sleep 600"
    return {"process": {"command": shell(script), **more}}


def pid_of(folder: Path, name: str) -> int:
    look = ChildProcesses(folder / "children").look(name)
    return look.pid if isinstance(look, Running) else 0


async def test_children_start_in_order_are_adopted_and_stop_when_retired(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("app", depends_on=("db",), **a_child(tmp_path, "app"))
    await world.configure("db", **a_child(tmp_path, "db"))
    with an_executor(nats_server, tmp_path) as executor:
        await until(lambda: pid_of(tmp_path, "app") and pid_of(tmp_path, "db"))
        await until(lambda: len(lines_of(tmp_path / "order")) == 2)
        pids = pid_of(tmp_path, "app"), pid_of(tmp_path, "db")
        executor.kill()
        executor.start()
        await world.configure("new", **a_child(tmp_path, "new"))
        await until(lambda: pid_of(tmp_path, "new") and len(lines_of(tmp_path / "order")) == 3)
        assert (pid_of(tmp_path, "app"), pid_of(tmp_path, "db")) == pids
        retire = RetireService(reason="gone", configuration_hash="2")
        await world.commands.send(EntityAddress("service", "new"), retire)
        await until(lambda: not pid_of(tmp_path, "new"))
        executor.end()
        assert (pid_of(tmp_path, "app"), pid_of(tmp_path, "db")) == pids
    await until(lambda: lines_of(tmp_path / "order") == ["db", "app", "new"])


async def test_a_child_that_dies_is_reaped_and_started_only_by_a_recovery(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_child(tmp_path, "db"))
    with an_executor(nats_server, tmp_path):
        await until(lambda: pid_of(tmp_path, "db"))
        pid = pid_of(tmp_path, "db")
        assert await wish_of(pid) == {}, "it was started with Standfast"
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110  (no zombie either)
        assert pid_of(tmp_path, "db") == 0
        entity = await world.recover("db", "process.restart")
        end = await world.end_of(entity)
        assert isinstance(end, EffectSucceeded), end
        pid = pid_of(tmp_path, "db")
        assert pid
        commits = [one async for one in world.log.read_entity(entity)]
        assert await wish_of(pid) == {
            "STANDFAST_SERVICE": "db",
            "STANDFAST_IDEMPOTENCY_KEY": "recovery/db:process.restart#1",
            "STANDFAST_FENCE": str(commits[0].position.sequence),
        }
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110


async def test_a_restart_that_a_kill_cut_short_is_tried_again(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    script = f"echo $$ >> {tmp_path}/started; trap 'echo told >> {tmp_path}/told' TERM; "
    child = {
        "command": shell(script + "while :; do sleep 0.02; done"),
        "stop_timeout_seconds": 1.0,
    }
    await world.configure("db", process=child)
    with an_executor(nats_server, tmp_path) as executor:
        await until(lambda: lines_of(tmp_path / "started"))
        entity = await world.recover("db", "process.restart", attempts_max=2)
        await until(lambda: lines_of(tmp_path / "told"))
        executor.kill()
        executor.start()
        end = await world.end_of(entity)
        assert isinstance(end, EffectFailed)
        assert end.reason == "the executor ended before process.restart was done"
        assert isinstance(await world.end_of(entity, 2), EffectSucceeded)
    assert len(lines_of(tmp_path / "started")) == 2


async def test_children_are_stopped_on_request_but_for_those_that_stay(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_child(tmp_path, "db"))
    await world.configure("app", depends_on=("db",), **a_child(tmp_path, "app"))
    await world.configure("own", **a_child(tmp_path, "own", stop_with_standfast=False))
    names = ("db", "app", "own")
    with an_executor(nats_server, tmp_path):
        await until(lambda: all(pid_of(tmp_path, name) for name in names))
        answer = await world.log.client.request(STOP_CHILDREN_SUBJECT, b"", 20.0)
        assert answer.data == STOPPED
        assert [bool(pid_of(tmp_path, name)) for name in names] == [False, False, True]


async def test_a_storm_of_errands_is_carried_out_once_each(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    await world.configure("db", **a_command(f"echo ran >> {tmp_path}/ledger"))
    with an_executor(nats_server, tmp_path):
        entity = await world.recover("db", "command.run")
        await world.end_of(entity)
        errand = await errand_of(world, entity)
        payloads = [encode_errand(made_up(errand, number)) for number in range(2, 62)]
        subject = executor_subject("executor")
        asks = [world.log.client.request(subject, one, 20.0) for one in payloads * 2]
        answers = await asyncio.gather(*asks)
        assert {one.data for one in answers} == {b"accepted"}

        async def all_ran() -> bool:
            return len(lines_of(tmp_path / "ledger")) == 61

        await eventually(all_ran)


def made_up(errand: Errand, number: int) -> Errand:
    wish = errand.intent.model_copy(update={"number": number})
    return Errand(errand.entity, wish, errand.sequence, errand.cause_id, errand.correlation_id)
