"""`standfast log`: backups and archives of the log, and making it anew from them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from events.archive import UnusableArchiveError
from events.log_backup import UnusableBackupError
from events.snapshots import SnapshotFailedError
from standfast.cli.operate import user
from standfast.cli.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    JsonOption,
    StateOption,
    err,
    fail,
    phases,
    plain,
    print_json,
    say,
    state_directory,
)
from standfast.cli.work import run, session
from standfast.keeping.aftermath import bring_projections, write_down
from standfast.keeping.checking import check_file
from standfast.keeping.making import Made, make_archive, make_backup
from standfast.keeping.place import open_place
from standfast.keeping.restoring import Loss, NotRestoredError, Restore, Restored
from standfast.keeping.sources import ArchiveSource, BackupSource, NotImportedError
from standfast.keeping.trial import NotBackedUpError, only_backup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from standfast.keeping.making import Progress
    from standfast.keeping.sources import Source
    from standfast.session import Session

    Maker = Callable[[Session, Path, Progress], Awaitable[Made]]

T = TypeVar("T")
EXIT_WOULD_LOSE = 3
EXIT_UNUSABLE = 4
_UNUSABLE = (UnusableBackupError, UnusableArchiveError)
_FAILED = (NotBackedUpError, NotRestoredError, NotImportedError, SnapshotFailedError)

FileToWrite = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")]
FileToRead = Annotated[Path, typer.Argument(metavar="FILE", help="The file to read.")]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Give up what the log holds beyond the file, unasked.")
]
DamagedOption = Annotated[
    bool, typer.Option("--damaged", help="Take a file with bad commits in it all the same.")
]

log = typer.Typer(help="Back up, restore, export and import the log itself.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(log, name="log")


@log.command()
def backup(
    file: FileToWrite,
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Back up the log, beside all that runs.

    The backup is restored once, under another name, and read through before FILE gets its name;
    an older FILE is replaced only then. Exit code: 0 when there is a good backup, else 1.

    Example: [bold]standfast log backup /var/backups/standfast.backup[/]
    """
    _show_made("backup", _work(_make(file, state_dir, _backed_up)), json=json)


@log.command()
def export(
    file: FileToWrite,
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Write all commits to an archive, a form that needs no server to be read.

    Example: [bold]standfast log export log.archive && standfast log check log.archive[/]
    """
    _show_made("archive", _work(_make(file, state_dir, _archived)), json=json)


@log.command()
def restore(
    file: FileToRead,
    yes: YesOption = False,  # noqa: FBT002
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Make the log anew from a backup; all that runs begins anew by itself.

    Nothing changes before all was read through. What the log holds beyond the backup is given up,
    after you agreed, and kept as an archive beside it.

    Exit code: 0 when it is restored; 1 when not; 3 when commits would be given up and nobody
    agreed; 4 when FILE can't be read, is damaged, or is no backup.

    Example: [bold]standfast log restore /var/backups/standfast.backup[/]
    """
    _show_restored(_work(_restore(BackupSource, file, state_dir, yes=yes)), json=json)


@log.command("import")
def import_(
    file: FileToRead,
    yes: YesOption = False,  # noqa: FBT002
    damaged: DamagedOption = False,  # noqa: FBT002
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Make the log anew from an archive, with the same sequences and times.

    As `restore` does it, with the same exit codes.

    Example: [bold]standfast log import log.archive[/]
    """
    work = _restore(ArchiveSource, file, state_dir, yes=yes, damaged=damaged)
    _show_restored(_work(work), json=json)


@log.command()
def check(
    file: FileToRead,
    json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Read a backup or an archive through, without a server: is it whole, and what is in it?

    Exit code: 0 when it is whole; 1 when commits in it are bad; 4 when it can't be read, is
    damaged, or is neither.

    Example: [bold]standfast log check /var/backups/standfast.backup[/]
    """
    found = _read(check_file, file)
    if json:
        print_json(found.as_json())
    else:
        for bad in found.bad:
            say(f"[bold red]{bad.sequence} {bad.what}[/] of {plain(bad.entity)}: {plain(bad.why)}")
        say(f"{plain(found.text)}")
    if found.bad:
        raise typer.Exit(EXIT_FAILED)


def _read(read: Callable[[Path], T], file: Path) -> T:
    """Read a file through; one that can't be used, or not be read, ends the command."""
    try:
        return read(file)
    except _UNUSABLE as error:
        fail(str(error), EXIT_UNUSABLE)
    except OSError as error:
        fail(f"{file}: {error.strerror or error}", EXIT_UNUSABLE)


def _work(work: Coroutine[None, None, T]) -> T:
    """Run what reads or writes files; what is wrong with them ends the command with one line."""
    try:
        return run(work)
    except _UNUSABLE as error:
        fail(str(error), EXIT_UNUSABLE)
    except _FAILED as error:
        fail(str(error))


async def _make(file: Path, given: Path | None, make: Maker) -> Made:
    _see_that_it_can_be(file)
    async with session(given) as opened:
        with phases() as told:
            return await make(opened, file, told)


def _see_that_it_can_be(file: Path) -> None:
    """End the command where no file can be of that name."""
    if not file.parent.is_dir():
        fail(f"there is no folder {file.parent}", EXIT_USAGE)
    if file.exists() and not file.is_file():
        fail(f"{file} is there and is no file; give the FILE to write", EXIT_USAGE)


async def _backed_up(opened: Session, file: Path, told: Progress) -> Made:
    situation = opened.situation
    log_directory = None if situation.configuration.log.url else situation.directory.log
    with only_backup(situation.directory):
        return await make_backup(opened.log, file, told, log_directory)


async def _archived(opened: Session, file: Path, told: Progress) -> Made:
    return await make_archive(opened.log, file, told)


async def _restore(
    source: Callable[[Path], Source],
    file: Path,
    given: Path | None,
    *,
    yes: bool,
    damaged: bool = False,
) -> Restored:
    read = await asyncio.to_thread(_read, source, file)
    async with open_place(state_directory(given).root) as place:
        with phases() as told:
            restore = Restore(
                place.client,
                read,
                place.limits,
                place.newest_generation(read.identity.log_id),
                place.given_up,
                told,
                accepts_damage=damaged,
            )
            loss = await restore.loss()
        if loss.commits and not yes:
            await asyncio.to_thread(_agree, loss, read)
        with phases() as told:
            restore.progress = told
            restored = await restore.run()
        await write_down(place, read, restored, user())
        await bring_projections(place)
        return restored


def _agree(loss: Loss, source: Source) -> None:
    """Ask a person whether what the file does not hold may be given up."""
    since = f", the first of them of {loss.since:%Y-%m-%d %H:%M:%S} UTC" if loss.since else ""
    what = (
        f"the log is ahead of this {source.what}: {loss.commits} commits after sequence"
        f" {loss.after} would be given up{since}"
    )
    if not sys.stdin.isatty():
        fail(f"{what}; say --yes if they may be", EXIT_WOULD_LOSE)
    err.print(f"[bold yellow]{plain(what)}[/] (they are kept as an archive)")
    if not typer.confirm("give them up?", default=False, err=True):
        raise typer.Exit(EXIT_WOULD_LOSE)


def _show_made(what: str, made: Made, *, json: bool) -> None:
    if json:
        print_json(
            {
                "file": str(made.path),
                "log_id": made.identity.log_id,
                "generation": made.identity.generation,
                "head": made.head,
                "commits": made.commits,
                "bytes": made.bytes,
            }
        )
        return
    size = f"{made.bytes / 1024 / 1024:.1f} MiB"
    held = f"{made.commits} commits up to sequence {made.head}, {size}"
    say(f"[green]{what} made and checked[/]: {plain(made.path)}, {held}")


def _show_restored(restored: Restored, *, json: bool) -> None:
    loss = restored.loss
    if json:
        print_json(_restored_json(restored))
        return
    say(
        f"[green]the log is restored[/]: {restored.commits} commits up to sequence"
        f" {restored.head}; generation {restored.identity.generation} begins"
    )
    if loss.commits:
        say(f"[yellow]{loss.commits} commits were given up[/]; they are kept in {restored.kept}")


def _restored_json(restored: Restored) -> dict[str, Any]:
    loss = restored.loss
    return {
        "log_id": restored.identity.log_id,
        "generation": restored.identity.generation,
        "head": restored.head,
        "commits": restored.commits,
        "given_up": loss.commits,
        "given_up_since": loss.since.isoformat() if loss.since else None,
        "given_up_file": str(restored.kept) if restored.kept else None,
    }
