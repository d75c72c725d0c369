"""Standfast's own processes: what each is run as, and in which environment."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import TYPE_CHECKING

from effects.recovery.child import ChildSpec
from events.build import ROOT
from events.server import server_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from standfast.config.model import Configuration
    from standfast.paths import StateDirectory

LOG, RAY, WATCHDOG = "log", "ray", "watchdog"
ROLES = ("prober", "evaluator", "executor", "projector", "web")
"""The plain processes that join the log; the watchdog does not."""
WATCHES = (WATCHDOG, "evaluator", "prober")
"""Who concludes from what it sees, or no longer sees: in this order an end is no news to any."""
KEEPS_SECRETS = frozenset({WATCHDOG, "prober", "executor"})
_REFERENCE = re.compile(r'"env:([A-Za-z_][A-Za-z0-9_]*)"')
OBJECT_STORE_BYTES = 80_000_000
STOP_SECONDS = 8.0
_PASSED_ON = ("COV_", "COVERAGE_", "COV")
"""Variables of a coverage measurement, which follows all processes."""


def base_environment() -> dict[str, str]:
    """Give what all processes need: our packages before any namesakes, and no buffering."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
    return {**passed, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def ray_environment(directory: StateDirectory) -> dict[str, str]:
    """Give what Ray's processes and drivers need: the token above all."""
    return {
        **base_environment(),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(directory.ray / "token"),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "RAY_TMPDIR": str(directory.ray_temporary),
    }


def referenced(configuration: Configuration) -> dict[str, str]:
    """Give the variables that a configuration names as `env:NAME`: secrets, for who needs them."""
    names = set(_REFERENCE.findall(configuration.model_dump_json()))
    return {name: os.environ[name] for name in names if name in os.environ}


def roles_to_restart(before: Configuration, after: Configuration) -> set[str]:
    """Give who reads at its start what differs between two configurations."""
    roles = set()
    if before.receivers != after.receivers:
        roles |= {"executor", WATCHDOG}
    if before.watchdog != after.watchdog:
        roles.add(WATCHDOG)
    if before.web != after.web:
        roles.add("web")
    return roles


def log_spec(directory: StateDirectory) -> ChildSpec:
    """Give the embedded nats-server."""
    return ChildSpec(
        name=LOG,
        command=server_command(directory.log),
        working_directory=directory.log,
        stop_timeout_seconds=STOP_SECONDS,
    )


def role_spec(role: str, directory: StateDirectory, configuration: Configuration) -> ChildSpec:
    """Give one of the plain processes."""
    secrets = referenced(configuration) if role in KEEPS_SECRETS else {}
    command = (sys.executable, "-m", "standfast", "process", role)
    return ChildSpec(
        name=role,
        command=(*command, "--state-dir", str(directory.root)),
        working_directory=directory.root,
        environment={**base_environment(), **secrets},
        stop_timeout_seconds=STOP_SECONDS,
    )


def ray_spec(directory: StateDirectory, port: int, hosts: int) -> ChildSpec:
    """Give Ray's head: private folder and port, the token asked for, little memory."""
    options = {
        "port": port,
        "node-ip-address": "127.0.0.1",
        "include-dashboard": "false",
        "include-log-monitor": "false",
        "num-cpus": hosts,
        "object-store-memory": OBJECT_STORE_BYTES,
        "temp-dir": directory.ray_temporary,
        "min-worker-port": 0,
        "max-worker-port": 0,
        "dashboard-agent-listen-port": 0,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return ChildSpec(
        name=RAY,
        command=(
            sys.executable,
            "-m",
            "actors.runtime.ray_head",
            "start",
            "--head",
            "--block",
            "--no-monitor",  # it would scale a cluster, and serve its metrics to everybody
            *flags,
            "--disable-usage-stats",
        ),
        working_directory=directory.ray,
        environment=ray_environment(directory),
        stop_signal=signal.SIGKILL,  # nothing in Ray is needed again, and it is slow to leave
    )


def placer_command(
    port: int, runtime: str, names: Iterable[str], renewed: Iterable[str] = ()
) -> tuple[str, ...]:
    """Give the command that makes the hosts in Ray be these, some of them anew."""
    module = (sys.executable, "-m", "actors.runtime.placer")
    options = [f"--renew={name}" for name in renewed]
    return (*module, "--address", f"127.0.0.1:{port}", "--runtime", runtime, *options, *names)


def merged(environment: Mapping[str, str]) -> dict[str, str]:
    """Give this process's environment with additions."""
    return {**os.environ, **environment}
