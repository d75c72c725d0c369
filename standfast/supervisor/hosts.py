"""The hosts: Ray's head as a child, the actors in it, and which host owns which buckets."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from actors.placement import PlaceBuckets
from actors.runtime.description import ask_host
from actors.runtime.host import PLACEMENT_ADDRESS
from actors.runtime.solo import SoloWriter
from effects.ending import end_tasks
from effects.recovery.child import Refused, Running
from standfast.doctor.words import translated
from standfast.paths import UnsafeDirectoryError, make_private, write_private
from standfast.supervisor.layout import layout, owners
from standfast.supervisor.ports import kept_port
from standfast.supervisor.processes import (
    RAY,
    merged,
    placer_command,
    ray_environment,
    ray_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from actors.placement import Placement
    from actors.runtime.description import Described
    from effects.recovery.child import ChildSpec
    from effects.recovery.process import ChildProcesses
    from events.log import Log
    from standfast.config.model import Configuration
    from standfast.paths import StateDirectory
    from standfast.runtime import Runtime

READY_SECONDS_MAX = 60.0
PLACE_SECONDS_MAX = 90.0
LOOK_SECONDS = 2.0
RAY_LOOK_SECONDS = 0.2
SILENT_LOOKS_MAX = 3
RETRY_SECONDS = 1.0
REFUSED_SECONDS_MAX = 15.0
_LOGGER = logging.getLogger(__name__)


class HostsFailedError(Exception):
    """The hosts could not be started; the message says why."""


@dataclass(slots=True)
class Hosts:
    """Ray and the hosts in it. Ray's own state is never needed: the log has everything."""

    directory: StateDirectory
    children: ChildProcesses
    log: Log
    runtime: Runtime
    said: Callable[[str], None]
    names: tuple[str, ...] = ()
    _port: int = 0
    _silent: dict[str, int] = field(default_factory=dict)
    _placing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self, configuration: Configuration) -> None:
        """Start Ray and the hosts that the placement names; see `keep` and `wait_all_ready`.

        Where Ray runs already its hosts are kept as they are, whatever their build.
        Raises `HostsFailedError`.
        """
        runs = await self._runs_as_installed()
        placement = await self.placement()
        if not runs or not placement.hosts:
            placement = await self.place(layout(configuration, placement, {}))
        self.names = owners(placement)
        await self._place_hosts()

    async def wait_all_ready(self) -> None:
        """Wait until the hosts that are kept have read their buckets. Raises `HostsFailedError`."""
        await self.wait_ready(self.names)

    async def placement(self) -> Placement:
        """Give the placement that is in force."""
        return (await self._placement_writer()).entity.state  # type: ignore[no-any-return]

    async def place(self, command: PlaceBuckets) -> Placement:
        """Put a placement in force, and give it. Raises `HostsFailedError`."""
        writer = await self._placement_writer()
        answer = await writer.give(command)
        if not answer.accepted:
            raise HostsFailedError(f"the buckets could not be placed: {answer.message}")
        return writer.entity.state  # type: ignore[no-any-return]

    async def _placement_writer(self) -> SoloWriter:
        return await SoloWriter.open(
            self.log, self.runtime.author, "process:supervisor", PLACEMENT_ADDRESS
        )

    async def make(self, names: Sequence[str]) -> None:
        """Make hosts anew that own nothing yet; from now on they are kept.

        Raises `HostsFailedError`.
        """
        self.names = tuple(dict.fromkeys([*self.names, *names]))
        if error := await self._run_placer(renewed=names):
            raise HostsFailedError(error)

    async def end(self, names: Iterable[str]) -> None:
        """End hosts for good. Raises `HostsFailedError`."""
        ended = set(names)
        self.names = tuple(name for name in self.names if name not in ended)
        if error := await self._run_placer():
            raise HostsFailedError(error)

    async def _runs_as_installed(self) -> bool:
        """Say whether Ray runs; one of another version than is installed is ended."""
        if not isinstance(self.children.look(RAY), Running):
            return False
        path, installed = self.directory.ray / "version", version("ray")
        runs = path.read_text() if path.exists() else installed
        if runs != installed:
            self.said(f"Ray {runs} is replaced by {installed}: hosts come back from the log")
            await self.children.stop(RAY)
        return runs == installed

    def _spec(self) -> ChildSpec:
        return ray_spec(self.directory, self._port, len(self.names))

    async def _start_ray(self) -> None:
        """Start Ray's head unless it runs. Raises `HostsFailedError`."""
        self.directory.ray.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = self.directory.ray / "token"
        if not token.exists():
            write_private(token, secrets.token_hex(32))
        runs = isinstance(self.children.look(RAY), Running)
        self._port = kept_port(self.directory.ray / "port", keep=runs)
        if not runs:  # what a head that died leaves behind makes its successor refuse to start
            shutil.rmtree(self.directory.ray_temporary, ignore_errors=True)
            self._make_ray_directory()
            write_private(self.directory.ray / "version", version("ray"))
        outcome = await self.children.start(self._spec())
        if isinstance(outcome, Refused):
            raise HostsFailedError(f"Ray could not be started: {outcome.reason}")

    def _make_ray_directory(self) -> None:
        try:
            make_private(self.directory.ray_temporary)
        except (UnsafeDirectoryError, OSError) as error:
            raise HostsFailedError(f"Ray has no place for its files: {error}") from error

    async def _place_hosts(self) -> None:
        """Run the placer until it succeeds: Ray's head needs a few seconds before it answers."""
        until = time.monotonic() + PLACE_SECONDS_MAX
        while True:
            error = await self._run_placer()
            if not error:
                return
            if time.monotonic() > until:
                raise HostsFailedError(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _run_placer(self, renewed: Sequence[str] = ()) -> str:
        """Make the hosts in Ray be those that are to be kept. Gives the error, or nothing.

        Raises `HostsFailedError` where Ray itself can't be started.
        """
        async with self._placing:  # what was just ended must not be made again by another one
            await self._start_ray()
            if not await self._ray_listens():
                return "Ray's head does not listen"
            placing = asyncio.create_task(self._placed_by_driver(renewed))
            ending = asyncio.create_task(self._until_ray_ends())
            try:
                await asyncio.wait({placing, ending}, return_when=asyncio.FIRST_COMPLETED)
                return placing.result() if placing.done() else "Ray ended meanwhile"
            finally:
                await end_tasks([placing, ending])

    async def _until_ray_ends(self) -> None:
        """A driver whose Ray has died waits for it for a long time."""
        while isinstance(self.children.look(RAY), Running):  # noqa: ASYNC110  (it sends no event)
            await asyncio.sleep(RAY_LOOK_SECONDS)

    async def _placed_by_driver(self, renewed: Sequence[str]) -> str:
        command = placer_command(self._port, str(self.directory.runtime), self.names, renewed)
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.directory.ray,
            env=merged(ray_environment(self.directory)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PLACE_SECONDS_MAX):
                _, errors = await process.communicate()
        except TimeoutError:
            return "the hosts could not be placed in time"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = errors.decode(errors="replace").strip().splitlines()
        return "" if process.returncode == 0 else translated((lines or ["the placer failed"])[-1])

    async def _ray_listens(self) -> bool:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return True
        return False

    async def wait_ready(self, names: Iterable[str]) -> None:
        """Wait until hosts have read their buckets. Raises `HostsFailedError`."""
        until = time.monotonic() + READY_SECONDS_MAX
        missing = list(names)
        while missing:
            if time.monotonic() > until:
                raise HostsFailedError(f"these hosts did not become ready: {missing}")
            described = [await ask_host(self.log.client, name, entities=False) for name in missing]
            missing = [one.name for one in described if not (one.answered and one.ready)]
            await asyncio.sleep(0.05)

    async def keep(self) -> None:
        """Start Ray anew when it is lost, and make the hosts that stay silent."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            ended = not isinstance(self.children.look(RAY), Running)
            if ended:
                _LOGGER.warning("Ray ended; it is started again")
            try:
                if (ended or await self._some_are_silent()) and (error := await self._run_placer()):
                    _LOGGER.warning("%s", error)
            except HostsFailedError as failed:
                _LOGGER.error("%s", failed)  # noqa: TRY400  (its message is all there is to say)

    async def _some_are_silent(self) -> bool:
        """Say whether a host was silent for several looks; Ray restarts most by itself."""
        for one in await self._ask_all():
            self._silent[one.name] = 0 if one.answered else self._silent.get(one.name, 0) + 1
        return any(looks >= SILENT_LOOKS_MAX for looks in self._silent.values())

    async def log_refuses(self) -> bool:
        """Say whether a host that is reached through the log can't write into it for a while."""
        described = await self._ask_all()
        return any(one.refused_seconds >= REFUSED_SECONDS_MAX for one in described)

    async def _ask_all(self) -> list[Described]:
        asked = [ask_host(self.log.client, name, entities=False) for name in self.names]
        return await asyncio.gather(*asked)

    async def stop(self) -> None:
        """End Ray and with it the hosts, and remove what it leaves."""
        await self.children.stop(RAY)
        shutil.rmtree(self.directory.ray_temporary, ignore_errors=True)
