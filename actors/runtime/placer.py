"""The placer: a short-lived Ray driver that makes the hosts be those it is told, then leaves."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from actors.runtime.ray_host import NAMESPACE, HostActor, Join

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_SECONDS = 60.0
END_SECONDS = 5.0
LOOK_SECONDS = 0.05


def place(
    address: str, runtime_path: str, names: Sequence[str], renewed: Sequence[str] = ()
) -> dict[str, int]:
    """End hosts that are not named or are renewed, make those that are missing; gives their pids.

    A supervisor that was killed may have left hosts which nobody knows any more.
    """
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    for name in ray.util.list_named_actors():
        if name not in names or name in renewed:
            _end(name)
    actors = {name: _get_or_make(name, runtime_path) for name in names}
    return {name: _pid(name, actor, runtime_path) for name, actor in actors.items()}


def _get_or_make(name: str, runtime_path: str) -> Any:  # noqa: ANN401  (Ray's handles have no type)
    actor = ray.remote(HostActor).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
    )
    return actor.remote(Join(name, runtime_path))


def _end(name: str) -> None:
    """End a host so that Ray does not start it again; its name is free when it is gone."""
    with contextlib.suppress(ValueError):  # there is no such host
        ray.kill(ray.get_actor(name, namespace=NAMESPACE), no_restart=True)
        until = time.monotonic() + END_SECONDS
        while time.monotonic() < until:
            ray.get_actor(name, namespace=NAMESPACE)
            time.sleep(LOOK_SECONDS)


def _pid(name: str, actor: Any, runtime_path: str) -> int:  # noqa: ANN401
    """Ask a host for its pid; one that does not answer is made anew, once."""
    try:
        return int(ray.get(actor.pid.remote(), timeout=ANSWER_SECONDS))
    except RayActorError:
        again = _get_or_make(name, runtime_path)
        return int(ray.get(again.pid.remote(), timeout=ANSWER_SECONDS))


def main() -> int:
    """Make the hosts be those named on the command line; prints their pids."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--renew", action="append", default=[], metavar="NAME")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    try:
        pids = place(arguments.address, arguments.runtime, arguments.names, arguments.renew)
    except (RayError, GetTimeoutError, ConnectionError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"hosts could not be placed: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(pids) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
