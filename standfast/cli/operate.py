"""What a person asks of entities: acknowledge, approve, cancel, release; answered after commit."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from actors.alert import AcknowledgeAlert
from actors.recovery import ApproveRecovery, CancelRecovery, RejectRecovery
from actors.runtime.letters import ReleaseEntity
from events.address import EntityAddress
from standfast.cli.arguments import checked_address, known_address
from standfast.cli.terminal import JsonOption, StateOption, fail, plain, print_json, say
from standfast.cli.work import run, session
from standfast.running import supervisor_pid
from standfast.runtime import NotRunningError

if TYPE_CHECKING:
    from pathlib import Path

    from actors.base import Command
    from actors.runtime.commands import Answer

PATIENCE_SECONDS = 10.0

AlertArgument = Annotated[
    str, typer.Argument(metavar="ALERT", help="An alert, with or without `alert/` before it.")
]
RecoveryArgument = Annotated[
    str, typer.Argument(metavar="RECOVERY", help="A recovery, with or without `recovery/`.")
]
AddressArgument = Annotated[
    str, typer.Argument(metavar="KIND/ID", help="An entity, as in service/demo-app.")
]
CommentOption = Annotated[str, typer.Option("--comment", "-m", help="What others should know.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the log.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (acknowledge, approve, reject, cancel, release):
        app.command()(command)


def acknowledge(
    alert: AlertArgument,
    comment: CommentOption = "",
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Take an alert: it is not told again while it fires.

    Example: [bold]standfast acknowledge ServiceDown:demo-database -m "on it"[/]
    """
    command = AcknowledgeAlert(by=user(), comment=comment)
    _give(_of_kind("alert", alert), command, state_dir, json=json)


def approve(
    recovery: RecoveryArgument,
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Allow a recovery that waits for approval.

    Example: [bold]standfast approve demo-database-21:demo-database[/]
    """
    _give(_of_kind("recovery", recovery), ApproveRecovery(by=user()), state_dir, json=json)


def reject(
    recovery: RecoveryArgument,
    reason: ReasonOption = "",
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Refuse a recovery that waits for approval.

    Example: [bold]standfast reject demo-database-21:demo-database -m "we move it today"[/]
    """
    command = RejectRecovery(by=user(), reason=reason)
    _give(_of_kind("recovery", recovery), command, state_dir, json=json)


def cancel(
    recovery: RecoveryArgument,
    reason: ReasonOption = "",
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Stop a recovery before its next step; a command that runs is killed.

    Example: [bold]standfast cancel demo-database-21:demo-database -m "I do it by hand"[/]
    """
    command = CancelRecovery(by=user(), reason=reason)
    _give(_of_kind("recovery", recovery), command, state_dir, json=json)


def release(
    address: AddressArgument,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the log.")],
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Release an entity from quarantine; its history is read again.

    Example: [bold]standfast release service/demo-app --reason "fixed in 0.2"[/]
    """
    _give(known_address(address), ReleaseEntity(reason=reason), state_dir, json=json)


def user() -> str:
    """Give the name of whoever runs this, as the system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _of_kind(kind: str, text: str) -> EntityAddress:
    return checked_address(f"{kind}/{text.removeprefix(f'{kind}/')}")


def _give(entity: EntityAddress, command: Command, given: Path | None, *, json: bool) -> None:
    answer = run(_send(entity, command, given))
    if not answer.accepted:
        reason = answer.message or f"it answered {answer.outcome}"
        fail(f"{entity} did not do it: {reason}")
    if json:
        content = {"entity": str(entity), "outcome": str(answer.outcome)}
        print_json({**content, "message": answer.message, "sequence": answer.sequence})
        return
    shown = "nothing to do" if answer.outcome == "unchanged" else str(answer.outcome)
    say(f"[green]{plain(entity)}: {shown}[/] [dim]at {answer.sequence}[/] {plain(answer.message)}")


async def _send(entity: EntityAddress, command: Command, given: Path | None) -> Answer:
    async with session(given) as opened:
        directory = opened.situation.directory
        if not opened.is_running and supervisor_pid(directory) is None:
            raise NotRunningError(f"Standfast does not run with {directory.root}: `standfast up`")
        commands = opened.commands(f"person:{user()}")
        return await commands.send(entity, command, patience_seconds=PATIENCE_SECONDS)
