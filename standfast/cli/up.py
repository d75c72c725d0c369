"""`standfast up`: the supervisor in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.logging import RichHandler

from effects.recovery.process import ChildProcesses
from standfast.cli.terminal import StateOption, err, fail, note
from standfast.config.load import InvalidConfigurationError, Loaded, load_file, load_tree
from standfast.doctor.words import translated
from standfast.paths import StateDirectory
from standfast.supervisor.foreground import EXPECTED, Foreground
from standfast.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def up(
        config: Annotated[
            Path | None,
            typer.Option(
                "--config",
                "-c",
                envvar="STANDFAST_CONFIG",
                help="The configuration file; without one the demo platform runs.",
            ),
        ] = None,
        address: Annotated[
            str | None, typer.Option("--address", help="Where page and API listen, HOST:PORT.")
        ] = None,
        state_dir: StateOption = None,
    ) -> None:
        """Start Standfast and watch the platform, until Ctrl-C."""
        logging.basicConfig(
            level=logging.WARNING,
            format="%(message)s",
            handlers=[RichHandler(console=err, show_path=False)],
        )
        code = asyncio.run(_up(config, address, state_dir))
        raise typer.Exit(code)


async def _up(config: Path | None, address: str | None, state_dir: Path | None) -> int:
    try:
        with _overridden(address, state_dir):
            loaded = load_file(config) if config else load_tree({}, "the demo")
            directory = StateDirectory.make(loaded.configuration.state_dir)
            with _alone(directory):
                loaded = loaded if config else await _demo(directory)
                supervisor = Supervisor(directory, loaded, is_demo=config is None, said=note)
                return await Foreground(supervisor, config).run()
    except InvalidConfigurationError as error:
        for mistake in error.mistakes:
            err.print(f"[bold red]{error.source}[/]: {mistake}")
        return 2
    except EXPECTED as error:
        fail(str(error))
    except OSError as error:
        fail(translated(str(error)))


@contextlib.contextmanager
def _overridden(address: str | None, state_dir: Path | None) -> Iterator[None]:
    """Options override the environment, which overrides the file."""
    if state_dir is not None:
        os.environ["STANDFAST_STATE_DIR"] = str(state_dir)
    if address is not None:
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdigit():
            fail(f"--address is HOST:PORT, as in 127.0.0.1:8420, not {address!r}", 2)
        os.environ["STANDFAST_WEB_ADDRESS"] = host.strip("[]")
        os.environ["STANDFAST_WEB_PORT"] = port
    yield


@contextlib.contextmanager
def _alone(directory: StateDirectory) -> Iterator[None]:
    """One supervisor for each state directory; a killed one lets go by itself."""
    with directory.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            fail(f"it runs already, as process {file.read().strip() or 'unknown'}")
        os.set_inheritable(file.fileno(), False)  # noqa: FBT003  (the call's own order)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


async def _demo(directory: StateDirectory) -> Loaded:
    """Prepare the demo platform, and give the configuration that watches it."""
    from scenarios.demo.platform import DemoPlatform  # noqa: PLC0415  (only the demo needs it)
    from scenarios.demo.settings import DemoUnavailableError  # noqa: PLC0415

    note("preparing the demo platform: PostgreSQL, Redis and an application")
    platform = DemoPlatform(directory.demo, ChildProcesses(directory.children))
    try:
        await platform.prepare()
    except DemoUnavailableError as error:
        fail(str(error))
    return load_tree(platform.configuration(), "the demo")
