"""People are told once, again where nobody knows, and of the end where told of the beginning."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from pydantic import TypeAdapter, ValidationError

from actors.alert import FireAlert, ResolveAlert
from effects.notifiers.settings import ReceiverSettings
from events.address import EntityAddress
from events.effect import EffectFailed, EffectIntended, EffectOutcomeUnknown, EffectSucceeded
from events.server import free_port
from tests.integration.effect_world import (
    Receiver,
    World,
    a_receiver,
    a_world,
    an_executor,
    eventually,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import Message
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from events.log import Log
    from tests.fixtures.checked import CheckedRun
    from tests.fixtures.nats import NatsServer

HEARD = ("world: ended", "world: delivered", "world: in time")
ALERT = EntityAddress("alert", "ServiceDown:db")


@pytest.fixture
async def world(log: Log) -> AsyncIterator[World]:
    async with a_world(log) as running:
        yield running


async def fire(world: World, *receivers: str) -> None:
    command = FireAlert(
        labels={"alertname": "ServiceDown", "service": "db", "severity": "critical"},
        annotations={"summary": "db is down"},
        severity="critical",
        receivers=receivers,
        incident="db-22",
    )
    assert (await world.commands.send(ALERT, command)).accepted


async def resolve(world: World) -> None:
    answer = await world.commands.send(ALERT, ResolveAlert(reason="db is healthy again"))
    assert answer.accepted


async def settled(world: World) -> None:
    """Wait until every notice has an end and none follows."""

    async def look() -> bool:
        events = await world.events(ALERT)
        wished = sum(isinstance(one, EffectIntended) for one in events)
        return wished == len(await world.ends(ALERT))

    await eventually(look)


async def test_a_webhook_gets_alertmanagers_payload_once_and_then_the_end(
    world: World, nats_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    async with a_receiver(checked=checked_run.ledger("ops")) as ops:
        with an_executor(nats_server, tmp_path, {"ops": ops.settings}):
            await fire(world, "ops")
            assert isinstance(await world.end_of(ALERT), EffectSucceeded)
            await resolve(world)
            await world.end_of(ALERT, 2)
    assert [one["body"]["status"] for one in ops.ledger] == ["firing", "resolved"]
    first, last = ops.ledger
    alert = first["body"]["alerts"][0]
    assert first["body"]["version"] == "4"
    assert first["body"]["receiver"] == "ops"
    assert first["body"]["commonLabels"]["alertname"] == "ServiceDown"
    assert alert["annotations"]["summary"] == "db is down"
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"
    assert last["body"]["alerts"][0]["startsAt"] == alert["startsAt"]
    assert last["body"]["alerts"][0]["endsAt"] > alert["startsAt"]
    assert first["headers"]["Idempotency-Key"] == "alert/ServiceDown:db#1-firing-0@ops"
    assert int(first["headers"]["Standfast-Fence"]) < int(last["headers"]["Standfast-Fence"])
    await checked_run.clean(world.log, *HEARD, "world: told it is over")


async def test_a_receiver_that_was_down_is_told_once_when_it_is_up(
    world: World, nats_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    ops = Receiver(port=free_port(), checked=checked_run.ledger("ops"))
    with an_executor(nats_server, tmp_path, {"ops": ops.settings}):
        await fire(world, "ops")
        end = await world.end_of(ALERT)
        assert isinstance(end, EffectFailed)
        assert not end.permanent
        assert "no connection" in end.reason
        await ops.open()
        assert isinstance(await world.end_of(ALERT, 2), EffectSucceeded)
    await ops.close()
    assert len(ops.ledger) == 1
    await checked_run.clean(world.log, *HEARD, "world: denied")


async def test_a_server_error_is_tried_again_with_the_same_key(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with a_receiver(500) as ops:
        with an_executor(nats_server, tmp_path, {"ops": ops.settings}):
            await fire(world, "ops")
            assert isinstance(await world.end_of(ALERT, 2), EffectSucceeded)
    keys = [one["headers"]["Idempotency-Key"] for one in ops.ledger]
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_refusal_is_final_and_a_resolved_does_not_follow(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with a_receiver(404) as ops, a_receiver() as chat:
        with an_executor(nats_server, tmp_path, {"ops": ops.settings, "chat": chat.settings}):
            await fire(world, "ops", "chat")
            await settled(world)
            await resolve(world)
            await settled(world)
    refused = [one for one in await world.ends(ALERT) if isinstance(one, EffectFailed)]
    assert [one.permanent for one in refused] == [True]
    assert len(ops.ledger) == 1
    assert [one["body"]["status"] for one in chat.ledger] == ["firing", "resolved"]


async def test_a_slow_receiver_is_unknown_and_told_again_with_the_same_key(
    world: World, nats_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    never = asyncio.Event()
    async with a_receiver(never, checked=checked_run.ledger("ops")) as ops:
        settings = {**ops.settings, "timeout_seconds": 0.5}
        with an_executor(nats_server, tmp_path, {"ops": settings}):
            await fire(world, "ops")
            assert isinstance(await world.end_of(ALERT), EffectOutcomeUnknown)
            assert isinstance(await world.end_of(ALERT, 2), EffectSucceeded)
            never.set()
    assert len({one["headers"]["Idempotency-Key"] for one in ops.ledger}) == 1
    assert len({one["headers"]["Standfast-Fence"] for one in ops.ledger}) == 2
    await checked_run.clean(world.log, *HEARD)


async def test_who_is_not_to_be_told_twice_is_not_and_still_hears_the_end(
    world: World, nats_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    never = asyncio.Event()
    async with a_receiver(never, checked=checked_run.ledger("ops")) as ops:
        settings = {**ops.settings, "timeout_seconds": 0.5, "repeat_when_unknown": False}
        with an_executor(nats_server, tmp_path, {"ops": settings}):
            await fire(world, "ops")
            assert isinstance(await world.end_of(ALERT), EffectOutcomeUnknown)
            end = await world.end_of(ALERT, 2)
            assert isinstance(end, EffectFailed)
            assert "not told twice" in end.reason
            await resolve(world)
            assert isinstance(await world.end_of(ALERT, 3), EffectSucceeded)
            never.set()
    assert [one["body"]["status"] for one in ops.ledger] == ["firing", "resolved"]
    await checked_run.clean(world.log, *HEARD, "world: told it is over")


async def test_an_unknown_receiver_is_refused_with_the_names_there_are(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with a_receiver() as ops:
        with an_executor(nats_server, tmp_path, {"ops": ops.settings}):
            await fire(world, "opps")
            end = await world.end_of(ALERT)
    assert isinstance(end, EffectFailed)
    assert end.permanent
    assert end.reason == "no receiver is called 'opps'; there are: ops"


class Mailbox:
    """An SMTP server's handler that keeps what it was sent."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(  # noqa: N802  (aiosmtpd names it so)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


async def test_apprise_sends_mail_of_the_beginning_and_the_end(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    mailbox = Mailbox()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    smtp.start()
    url = f"mailto://127.0.0.1:{smtp.port}/?from=sf@example.org&to=ann@example.org&mode=insecure"
    mail = {"type": "apprise", "url": url}
    try:
        with an_executor(nats_server, tmp_path, {"mail": mail}):
            await fire(world, "mail")
            end = await world.end_of(ALERT)
            assert isinstance(end, EffectSucceeded), end
            await resolve(world)
            assert isinstance(await world.end_of(ALERT, 2), EffectSucceeded)
    finally:
        smtp.stop()
    titles = [str(make_header(decode_header(one["Subject"]))) for one in mailbox.mails]
    assert titles == ["[FIRING] ServiceDown: db", "[RESOLVED] ServiceDown: db"]


async def test_apprise_tells_a_json_webhook_and_shows_no_secret(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    async with a_receiver(503) as ops:
        address = tmp_path / "address"
        address.write_text(f"json://ann:open-sesame@127.0.0.1:{ops.port}/hook\n")
        with an_executor(
            nats_server, tmp_path, {"ops": {"type": "apprise", "url": f"file:{address}"}}
        ):
            await fire(world, "ops")
            assert isinstance(await world.end_of(ALERT, 2), EffectSucceeded)
            await resolve(world)
            await settled(world)
    titles = [one["body"]["title"] for one in ops.ledger]
    assert titles == ["[FIRING] ServiceDown: db"] * 2 + ["[RESOLVED] ServiceDown: db"]
    failed = [one for one in await world.ends(ALERT) if isinstance(one, EffectFailed)]
    assert [one.reason for one in failed] == [f"json://127.0.0.1:{ops.port} answered 503"]
    assert "open-sesame" not in repr(await world.events(ALERT))


async def test_apprise_does_not_know_what_a_silent_service_heard(
    world: World, nats_server: NatsServer, tmp_path: Path
) -> None:
    never = asyncio.Event()
    async with a_receiver(never) as ops:
        url = f"json://127.0.0.1:{ops.port}/?rto=0.5"
        with an_executor(nats_server, tmp_path, {"ops": {"type": "apprise", "url": url}}):
            await fire(world, "ops")
            assert isinstance(await world.end_of(ALERT), EffectOutcomeUnknown)
            assert isinstance(await world.end_of(ALERT, 2), EffectSucceeded)
            never.set()


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "webhook", "url": "https://ann:secret@example.org/hook"},
        {"type": "webhook", "url": "https://example.org/hook?token=secret"},
        {"type": "webhook", "url": "example.org/hook"},
        {"type": "apprise", "url": "slack://T/B/x"},
        {"type": "apprise", "url": "json://ann:secret@example.org"},
        {"type": "apprise", "url": "json://example.org?+X-Key=secret"},
    ],
)
def test_a_literal_address_with_a_secret_is_refused_without_showing_it(
    settings: dict[str, str],
) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(ReceiverSettings).validate_python(settings)
    problems = refused.value.errors(include_input=False)
    assert "secret" not in str([one["msg"].replace("holds a secret", "") for one in problems])
