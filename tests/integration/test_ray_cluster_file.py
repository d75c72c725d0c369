"""`ray up ray_cluster.yaml` makes a head and a worker on this host; `ray down` ends them alone."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
CLUSTER_FILE = ROOT / "ray_cluster.yaml"
RAY = Path(sys.executable).parent / "ray"
COMMAND_TIMEOUT_SECONDS = 110
# Runs as a driver of its own, from `/`, and asks each node which `events` it imports.
DRIVER = """
import json, sys, time
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ray.init(address=sys.argv[1], namespace="standfast", log_to_driver=False)
deadline = time.monotonic() + 60
while len(alive := [node for node in ray.nodes() if node["Alive"]]) < 2:
    assert time.monotonic() < deadline, f"only {alive}"
    time.sleep(0.2)

@ray.remote(num_cpus=1)
def imported():
    import events
    return events.__file__

def place(node):
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)

print(json.dumps({
    node["NodeManagerAddress"]:
        ray.get(imported.options(scheduling_strategy=place(node)).remote(), timeout=60)
    for node in alive
}))
"""


def test_the_cluster_file_is_accepted_by_ray() -> None:
    config: dict[str, Any] = prepare_config(YAML(typ="safe").load(CLUSTER_FILE))
    validate_config(config)
    assert config["available_node_types"]["worker"]["min_workers"] == 1
    commands = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in command for command in commands)
    assert not any("ray stop" in command for command in commands)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_ray(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if "RAY_" not in name}
    done = subprocess.run(
        [str(RAY), *arguments],
        env=environment,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]


def processes_naming(folder: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if any(str(folder) in part for part in process.info["cmdline"] or [])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the sockets of Ray lie in it, and a socket's path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="sf-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else that looks like Ray's, as `ray stop` would see it."""
    process = subprocess.Popen(["/bin/bash", "-c", "exec -a raylet sleep 600"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.timeout(300)
def test_a_head_and_a_worker_start_and_end_and_nothing_else_does(
    folder: Path, bystander: subprocess.Popen[bytes]
) -> None:
    port = free_port()
    text = CLUSTER_FILE.read_text().replace("~/.standfast/ray", str(folder))
    cluster_file = folder / "cluster.yaml"
    cluster_file.write_text(text.replace("8421", str(port)))
    try:
        run_ray("up", "--yes", "--no-config-cache", str(cluster_file))
        driver = subprocess.run(
            [sys.executable, "-c", DRIVER, f"127.0.0.2:{port}"],
            env={
                **os.environ,
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            },
            cwd="/",
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        imported = json.loads(driver.stdout.splitlines()[-1])
        ours = str(ROOT / "events" / "__init__.py")
        assert imported == {"127.0.0.2": ours, "127.0.0.3": ours}
        assert (folder / "token").stat().st_mode & 0o077 == 0
    finally:
        run_ray("down", "--yes", str(cluster_file))
    assert processes_naming(folder) == []
    assert bystander.poll() is None
