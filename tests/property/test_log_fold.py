"""What a real host has in memory is what the decoded log folds to, whatever happened."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from actors.alert import AcknowledgeAlert, AnnotateAlert, ResolveAlert
from actors.recovery import ApproveRecovery, CancelRecovery
from actors.runtime.store import Store
from actors.service import ConfigureService, RequestProbe, RetireService
from events.placement import BucketRange
from tests.hosting import PLACED, SETTINGS, Hosting, states_of

if TYPE_CHECKING:
    from actors.base import Command
    from actors.runtime.host import Host

TRIES_MAX = 20
GRAPH = {"disk": (), "db": ("disk",), "cache": (), "app": ("db", "cache"), "page": ("app",)}


def some_command(chance: random.Random) -> tuple[str, Command]:
    name = chance.choice(list(GRAPH))
    title = chance.choice(["", "new"])
    settings = SETTINGS.model_copy(update={"title": title})
    return chance.choice(
        [
            (f"service/{name}", RequestProbe(reason="x")),
            (f"service/{name}", ConfigureService(settings=settings, configuration_hash="h")),
            (f"service/{name}", RetireService(reason="x", configuration_hash="h")),
            (f"alert/ServiceDown:{name}", AcknowledgeAlert(by="ann")),
            (f"alert/ServiceDown:{name}", AnnotateAlert(annotations={"summary": title})),
            (f"alert/ServiceDown:{name}", ResolveAlert(reason="x")),
            (f"recovery/{name}-9:{name}", ApproveRecovery(by="ann")),
            (f"recovery/{name}-9:{name}", CancelRecovery(by="ann", reason="x")),
        ]
    )


async def live(hosting: Hosting, chance: random.Random, host: Host) -> Host:
    """Let forty random things happen, deaths of the host among them."""
    for _ in range(40):
        match chance.randrange(10):
            case 0:
                await hosting.kill(host)
                host = await hosting.start()
            case 1:
                await host.write_checkpoints()
            case 2 | 3 | 4 | 5:
                verdict = chance.choice(["down", "healthy", "no data"])
                await hosting.report(chance.choice(list(GRAPH)), verdict)
            case _:
                await hosting.send(*some_command(chance))
    return host


@pytest.mark.parametrize("seed", range(4))
async def test_the_fold_of_the_log_is_the_live_state_and_the_state_after_a_rebuild(
    hosting: Hosting, seed: int
) -> None:
    chance = random.Random(seed)
    await hosting.place(h1=PLACED)
    outcome = chance.choice(["succeeded", "failed", ""])
    await hosting.executor(outcome=outcome)
    host = await hosting.start()
    mode = chance.choice(["automatic", "approval", "shadow"])
    await hosting.platform(GRAPH, recovery_mode=mode, settle_seconds=0.05)
    host = await live(hosting, chance, host)
    memory = await _memory_at_rest(hosting, host)
    folded = await hosting.folded()
    assert {address: kept[0] for address, kept in memory.items()} == {
        address: state for address, state in folded.items() if address.kind in PLACED
    }
    for cached in (True, False):
        ranges = [BucketRange(kind=kind) for kind in PLACED]
        loaded = await Store(hosting.log).load(ranges, cached=cached)
        assert {
            address: (one.state, one.head, one.marks, list(one.recent), one.intents, one.parked)
            for address, one in loaded.items()
        } == memory
    await hosting.check_chains()


async def _memory_at_rest(hosting: Hosting, host: Host) -> dict[Any, Any]:
    """Kill the host at a moment when nothing is under way; give what it had in memory."""
    for _ in range(TRIES_MAX):
        await hosting.quiet(0.4)
        head = await hosting.log.head_sequence()
        memory: dict[Any, Any] = states_of(host)
        await hosting.kill(host)
        if await hosting.log.head_sequence() == head:
            return memory
        host = await hosting.start()
    raise TimeoutError
