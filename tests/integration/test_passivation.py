"""A sleeping entity has no state in memory, is woken by what it must do, and forgets nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.alert import AcknowledgeAlert, FireAlert, Firing
from events.address import EntityAddress
from events.alert import Escalation
from tests.hosting import PLACED
from tests.waiting import until

if TYPE_CHECKING:
    from actors.runtime.host import Host
    from tests.hosting import Hosting

ALERT = EntityAddress("alert", "Slow")


def _fire(wait_seconds: float) -> FireAlert:
    escalation = Escalation(wait_seconds=wait_seconds, repeats_max=1)
    labels = {"alertname": "Slow", "severity": "warning"}
    return FireAlert(labels=labels, severity="warning", receivers=(), escalation=escalation)


async def _host(hosting: Hosting) -> Host:
    await hosting.place(h1=PLACED)
    return await hosting.start()


async def test_a_sleeping_entity_is_told_again_when_it_is_due(hosting: Hosting) -> None:
    host = await _host(hosting)
    assert (await hosting.send(str(ALERT), _fire(1.0))).accepted
    mailroom = host.mailroom
    entity = mailroom.entities[ALERT]
    assert mailroom.passivate(0.0) >= 1
    assert entity.is_asleep
    await until(lambda: not entity.is_asleep, 10)
    state = entity.state
    assert isinstance(state, Firing)
    await until(lambda: entity.state.level == 1, 10)


async def test_a_sleeping_entity_answers_and_its_checkpoint_holds_it(hosting: Hosting) -> None:
    host = await _host(hosting)
    assert (await hosting.send(str(ALERT), _fire(600.0))).accepted
    mailroom = host.mailroom
    mailroom.passivate(0.0)
    await host.write_checkpoints()
    assert mailroom.entities[ALERT].is_asleep, "neither a checkpoint nor a look wakes it"
    assert (await hosting.send(str(ALERT), AcknowledgeAlert(by="ann"))).accepted
    assert not mailroom.entities[ALERT].is_asleep
    again = await hosting.send(str(ALERT), AcknowledgeAlert(by="bob"))
    assert "ann" in again.message


async def test_who_was_used_just_now_stays_awake(hosting: Hosting) -> None:
    host = await _host(hosting)
    assert (await hosting.send(str(ALERT), _fire(600.0))).accepted
    assert not host.mailroom.passivate(60.0)
