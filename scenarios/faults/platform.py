"""The platform that is watched while Standfast is hurt: real services that need each other."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.faults.worker import RECEIVER
from scenarios.loopback import HOST

ROOT = Path(__file__).absolute().parents[2]
NEEDS: dict[str, tuple[str, ...]] = {
    "store": (),
    "cache": (),
    "api": ("store",),
    "mail": ("store",),
    "shop": ("api", "cache"),
}
"""Each service that may be killed, and what it needs."""
STARTS = "ledger-starts.jsonl"
"""Where services write down that they start, in the run's directory."""
QUIET = tuple(f"quiet-{number:02d}" for number in range(24))
"""Services that nothing happens to but being asked for a probe."""
ATTEMPTS_MAX = 20
"""Restarts of a service within a window: faults kill it more often than a platform would."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports, all different, chosen once for a run."""

    log: int
    web: int
    receiver: int
    services: dict[str, int]

    @classmethod
    def choose(cls) -> Ports:
        """Ask the kernel for free ports, all at once so that they differ."""
        names = ["log", "web", "receiver", *NEEDS]
        with ExitStack() as stack:
            sockets = {name: stack.enter_context(socket.socket()) for name in names}
            for listener in sockets.values():
                listener.bind((HOST, 0))
            found = {name: int(one.getsockname()[1]) for name, one in sockets.items()}
        services = {name: found[name] for name in NEEDS}
        return cls(found["log"], found["web"], found["receiver"], services)


def write_configuration(path: Path, ports: Ports, log_port: int, token: Path) -> None:
    """Write the configuration of a run, with its log behind a port; JSON is YAML."""
    pid_file = path.with_name("run.pid")
    services = {name: _service(name, ports, path.parent) for name in NEEDS}
    quiet = {"checks": [{"kind": "process", "pid_file": str(pid_file), "interval_seconds": 5}]}
    content = {
        "platform": {"name": "faults"},
        "web": {"port": ports.web},
        "log": {"url": f"nats://{HOST}:{log_port}", "token": f"file:{token}"},
        "services": {**services, **dict.fromkeys(QUIET, quiet)},
        "receivers": {RECEIVER: {"type": "webhook", "url": f"http://{HOST}:{ports.receiver}/"}},
        "alerting": {"receivers": [RECEIVER]},
        "recovery": {"mode": "automatic"},
    }
    path.write_text(json.dumps(content, indent=1))


def refusal_of(home: Path, service: str) -> Path:
    """Give the file that keeps a service from starting for as long as it is there."""
    return home / f"{service}.refused"


def _service(name: str, ports: Ports, home: Path) -> dict[str, Any]:
    """Describe one service: how it is looked at, run, and mended."""
    port, needs = ports.services[name], [str(ports.services[one]) for one in NEEDS[name]]
    options = {
        "name": name,
        "port": port,
        "ledger": home.parent / STARTS,
        "refusal": refusal_of(home, name),
    }
    flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "scenarios.faults.service", *flags]
    check = {
        "kind": "http",
        "url": f"http://{HOST}:{port}/",
        "interval_seconds": 1,
        "timeout_seconds": 0.9,
        "failure_threshold": 2,
        "success_threshold": 1,
    }
    return {
        "checks": [check],
        "depends_on": list(NEEDS[name]),
        "startup_seconds": 20,
        "process": {
            "command": [*command, *(["--needs", *needs] if needs else [])],
            "working_directory": str(ROOT),
            "environment": {"PYTHONPATH": str(ROOT)},
        },
        "recovery": {
            "effect": "process.restart",
            "timeout_seconds": 30,
            "verify_seconds": 30,
            "attempts_max": ATTEMPTS_MAX,
        },
    }
