"""`ray up` makes a cluster of several nodes on this host, and `ray down` ends no other process."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from ray.autoscaler._private.command_runner import _with_environment_variables
from ray.autoscaler._private.local.node_provider import ClusterState, LocalNodeProvider
from ray.autoscaler.command_runner import CommandRunnerInterface
from ray.autoscaler.node_provider import NodeProvider
from typing_extensions import override

from effects.recovery.child import ChildSpec, Refused, Running
from effects.recovery.process import ChildProcesses

STARTED = b"Ray runtime started"
START_TIMEOUT_SECONDS = 90.0
START_POLL_SECONDS = 0.1
STOP_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 120
LOG_TAIL_BYTES = 2000


class ThisHostProvider(LocalNodeProvider):
    """Nodes are loopback addresses, and a node's processes are one recorded child.

    `provider_config`: `head_ip`, `worker_ips`, and `folder`, which keeps the nodes' records,
    files and logs.
    """

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        # The parent's own constructor would keep its state in a folder that all clusters share.
        NodeProvider.__init__(self, provider_config, cluster_name)
        self.folder = Path(provider_config["folder"]).expanduser()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock, nodes = self.folder / "nodes.lock", self.folder / "nodes.json"
        self.state = ClusterState(str(lock), str(nodes), provider_config)
        self.use_coordinator = False

    @override
    def get_command_runner(
        self,
        log_prefix: str,
        node_id: str,
        auth_config: dict[str, Any],
        cluster_name: str,
        process_runner: ModuleType,
        use_internal_ip: bool,
        docker_config: dict[str, Any] | None = None,
    ) -> CommandRunnerInterface:
        """Return who runs the commands of one node."""
        return ThisHostRunner(self.folder / node_id)

    @override
    def terminate_node(self, node_id: str) -> None:
        """End what was started for a node."""
        ThisHostRunner(self.folder / node_id).stop_ray()
        super().terminate_node(node_id)  # type: ignore[no-untyped-call]


class ThisHostRunner(CommandRunnerInterface):
    """Runs a node's commands by bash on this host; `~/` in a target is the node's own folder.

    A `ray start --block` becomes a recorded child, `ray stop` ends that child alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children = ChildProcesses(folder)

    @override
    def run(
        self,
        cmd: str | None = None,
        timeout: int = COMMAND_TIMEOUT_SECONDS,
        exit_on_fail: bool = False,
        port_forward: list[tuple[int, int]] | None = None,
        with_output: bool = False,
        environment_variables: Mapping[str, object] | None = None,
        run_env: str = "auto",
        ssh_options_override_ssh_key: str = "",
        shutdown_after_run: bool = False,
        silent: bool = False,
    ) -> str:
        """Run a command; a failure is a ClickException, which `ray` prints."""
        command = cmd or "true"
        if "ray stop" in command:
            self.stop_ray()
            return ""
        script = _with_environment_variables(command, dict(environment_variables or {}))
        if "ray start" in command:
            asyncio.run(self.start_ray(script))
            return ""
        return self.run_script(script, timeout, with_output=with_output)

    def run_script(self, script: str, timeout_seconds: float, *, with_output: bool) -> str:
        """Run a script to its end; give its output, where asked."""
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            env=self.environment(),
            timeout=timeout_seconds,
            check=False,
            stdout=subprocess.PIPE if with_output else None,
            text=True,
        )
        if done.returncode != 0:
            message = f"exit code {done.returncode} of: {script}"
            raise click.ClickException(message)
        return done.stdout or ""

    async def start_ray(self, script: str) -> None:
        """Start the node's Ray, in place of one that runs, and wait until it has started."""
        spec = ChildSpec(
            name="ray",
            command=("/bin/bash", "-c", script),
            environment=self.environment(),
            stop_timeout_seconds=STOP_TIMEOUT_SECONDS,
        )
        log = self.children.log_path(spec)
        log.unlink(missing_ok=True)
        started = await self.children.restart(spec)
        if isinstance(started, Refused):
            raise click.ClickException(started.reason)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while STARTED not in log.read_bytes():
            runs = isinstance(self.children.look("ray"), Running)
            if not runs or time.monotonic() > deadline:
                tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
                raise click.ClickException(f"Ray did not start. The end of {log}:\n{tail}")
            await asyncio.sleep(START_POLL_SECONDS)

    def stop_ray(self) -> None:
        """End the node's Ray and all that it started."""
        stopped = asyncio.run(self.children.stop("ray"))
        if isinstance(stopped, Refused):
            raise click.ClickException(stopped.reason)

    def environment(self) -> dict[str, str]:
        """Return what the node's commands find: this environment's programs, the node's folder."""
        paths = (str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")
        return {
            "HOME": str(Path.home()),
            "PATH": ":".join(paths),
            "STANDFAST_NODE_FOLDER": str(self.folder),
        }

    @override
    def run_rsync_up(self, source: str, target: str, options: dict[str, Any] | None = None) -> None:
        """Copy a file or a folder to the node."""
        self.copy(Path(source).expanduser(), self.place(target), options)

    @override
    def run_rsync_down(
        self, source: str, target: str, options: dict[str, Any] | None = None
    ) -> None:
        """Copy a file or a folder from the node."""
        self.copy(self.place(source), Path(target).expanduser(), options)

    def copy(self, source: Path, target: Path, _options: dict[str, Any] | None) -> None:
        """Copy, where source and target differ."""
        if source.resolve() == target.resolve():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)

    def place(self, path: str) -> Path:
        """Return where a path of the node lies on this host."""
        return self.folder / path.removeprefix("~/")

    @override
    def remote_shell_command_str(self) -> str:
        """Return how a person gets a shell on the node: it is this host."""
        return f"cd {self.folder}"
