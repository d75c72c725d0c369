"""A child's first 20 ms: it takes its lock and records itself, then becomes the program.

Run as `python -I -S launcher.py ORDER STATUS_FD` in a session of its own, with the program's
environment. `ORDER` is JSON: `supervisor` (pid), `run` (32 hex digits), `lock`, `record`, `log`
(paths), `log_bytes_max`, `directory`, `command`, `user` (uid, gid, name; or null) and `keep`
(copied to the record). Nothing is written to `STATUS_FD` when the program was started; otherwise
one JSON object with `reason` and `held` (true: another process has the lock).

The order of steps matters. The lock comes first: one run at a time. The record comes before the
look at the supervisor: whoever follows a dead supervisor finds either a record or no program.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

MARK = "standfast-run-"
INHERIT = True
START_TIME = 19


def stat_fields(pid: int) -> list[str]:
    """Read the kernel's line on a process, from its state on (proc_pid_stat(5), field 3)."""
    line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return line.rpartition(")")[2].split()


def boot_id() -> str:
    """Give the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def take_lock(path: str) -> bool:
    """Lock the file for this process and all it becomes and forks; false when another has it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, INHERIT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def recorded_lives(path: str) -> bool:
    """Say whether the process of the last record lives: it may have closed the lock."""
    try:
        record = json.loads(Path(path).read_bytes())
        fields = stat_fields(record["pid"])
        recorded = (record["start_time_ticks"], record["boot_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return recorded == (int(fields[START_TIME]), boot_id()) and fields[0] not in "ZX"


def leave_mark(run: str) -> None:
    """Keep a descriptor open that every descendant inherits and that names this run."""
    os.set_inheritable(os.memfd_create(MARK + run), INHERIT)


def write_record(order: dict[str, Any]) -> None:
    """Replace the record by one of this process; whole or not at all."""
    record = {
        **order["keep"],
        "run": order["run"],
        "pid": os.getpid(),
        "start_time_ticks": int(stat_fields(os.getpid())[START_TIME]),
        "boot_id": boot_id(),
        "launched_seconds": time.time(),
    }
    beside = Path(f"{order['record']}.new")
    beside.write_text(json.dumps(record), encoding="utf-8")
    beside.replace(order["record"])


def open_log(path: str, bytes_max: int) -> None:
    """Send output to the end of the log; one that has outgrown its bound is put aside first."""
    if Path(path).is_file() and Path(path).stat().st_size > bytes_max:
        Path(path).replace(f"{path}.1")
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(log, 1)
    os.dup2(log, 2)


def reset_signals() -> None:
    """Undo what Python and a background shell ignore: the program starts with the defaults."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in {signal.SIG_DFL, None}:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def drop_to(uid: int, gid: int, name: str) -> None:
    """Give up the rights of root for good."""
    os.initgroups(name, gid)
    os.setgid(gid)
    os.setuid(uid)


def become(order: dict[str, Any]) -> NoReturn:
    """Turn into the program; raises OSError where that fails."""
    if order["user"] is not None:
        drop_to(*order["user"])
    os.chdir(order["directory"])
    reset_signals()
    os.execvpe(order["command"][0], order["command"], os.environ)  # noqa: S606


def launch(order: dict[str, Any]) -> str:
    """Become the program, or say why not. Raises BlockingIOError where another has the lock."""
    if not take_lock(order["lock"]) or recorded_lives(order["record"]):
        raise BlockingIOError
    leave_mark(order["run"])
    write_record(order)
    if os.getppid() != order["supervisor"]:
        return "its supervisor ended while it was starting"
    open_log(order["log"], order["log_bytes_max"])
    become(order)


def explain(error: OSError, order: dict[str, Any]) -> str:
    """Put an operating system's refusal into a sentence."""
    user = order["user"][2] if order["user"] else "this user"
    where = error.filename or order["command"][0]
    return f"{error.strerror}: {where} (as {user}, in {order['directory']})"


def main(order: dict[str, Any], status: int) -> NoReturn:
    """Launch, and report a failure on the status descriptor."""
    os.set_inheritable(status, not INHERIT)
    held = False
    try:
        reason = launch(order)
    except BlockingIOError:
        held, reason = True, f"another process holds {order['lock']}"
    except OSError as error:
        reason = explain(error, order)
    os.write(status, json.dumps({"reason": reason[:2000], "held": held}).encode())
    os._exit(127)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]))
