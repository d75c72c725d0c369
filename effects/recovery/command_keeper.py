"""A command's keeper: nothing of the command's group acts after its deadline or its executor's end.

Run as `python -I -S command_keeper.py COMMAND DEADLINE` in a session of its own. `COMMAND` is a
JSON list, `DEADLINE` seconds of the machine's monotonic clock. Standard input is the lifeline: it
ends when the executor wants no more, or is dead. A stopped executor makes no more time either.
Exits with the command's code (128 plus its number for a signal); kills itself with its group else.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time

LIFELINE = 0
NOT_RUN = 127


def keep(command: list[str], deadline: float) -> int:
    """Run the command until it ends; kill all of the group where it must not go on."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.stdout.write(f"{command[0]} can't be run: {error.strerror}\n")
        return NOT_RUN
    ended = os.pidfd_open(process.pid)
    left_seconds = max(0.0, deadline - time.monotonic())
    ready, _, _ = select.select([ended, LIFELINE], [], [], left_seconds)
    if ended not in ready:
        os.killpg(0, signal.SIGKILL)
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(keep(json.loads(sys.argv[1]), float(sys.argv[2])))
