"""The words of NATS, Ray and the system, said as what they mean for whoever runs Standfast."""

from __future__ import annotations

import re

_DISK_FULL = "the disk is full"
_LOG_DISK_FULL = "the disk of the log is full"
_NO_RAY = "Ray's head does not answer"
_RAY_REFUSES = "Ray refuses the token"


def _code(*numbers: int) -> str:
    """Give the pattern of an error of the log's server: a bare number may be a port, or a pid."""
    return rf"\berr_code[=: ]+({'|'.join(map(str, numbers))})\b"


_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"authorization violation|invalid token.*nats", "the log's server asks for another token"),
    (r"\bno responders", "nobody listens for it: the process that should answer does not run"),
    (
        r"connection ?refused|\berrno 111\b",
        "nobody listens there: the process does not run",
    ),
    (r"connection (reset|lost|closed)|unexpected eof|\berrno 104\b", "the other side hung up"),
    (r"no servers? available|noserverserror", "the log's server can't be reached"),
    (r"nats: timeout|no response from stream", "the log's server does not answer in time"),
    (r"^timeouterror:?\s*$", "no answer in time"),
    (
        rf"maximum consumers limit|{_code(10026)}",
        "the log's server has as many readers as it allows",
    ),
    (
        rf"maximum messages? exceeded|maximum bytes exceeded|{_code(10077)}",
        "the log has reached its limit",
    ),
    (rf"insufficient (storage )?resources|{_code(10023, 10047)}", _LOG_DISK_FULL),
    (r"no space left on device|\benospc\b|database or disk is full|\berrno 28\b", _DISK_FULL),
    (r"input/output error|\berrno 5\b", "the disk fails: it could not read or write"),
    (
        r"read-only file system|\berrno 30\b",
        "the disk became read-only: it failed, most likely",
    ),
    (
        r"nats: .*maximum payload|maximum payload (exceeded|violation)",
        "a message is larger than the log's server allows",
    ),
    (
        rf"jetstream not enabled|{_code(10039, 10076)}",
        "the log's server keeps nothing: its disk failed",
    ),
    (r"database is locked", "another process has the projections' database locked"),
    (
        rf"wrong last sequence|{_code(10071)}",
        "another writer was first; the host reads again",
    ),
    (
        rf"stream not found|{_code(10059)}",
        "the log has no such stream: it was never started, or is damaged",
    ),
    (r"address already in use|\beaddrinuse\b", "its port is taken by another process"),
    (
        r"\berrno 13\b|permissionerror|\beacces\b|: permission denied$",
        "it may not read or write a file: look at who owns it",
    ),
    (r"failed to connect to (gcs|ray)\b|\bgcs\b.*\b(unavailable|died)\b", _NO_RAY),
    (r"\brpc(error)?\b.*\bunavailable\b|statuscode\.unavailable", _NO_RAY),
    (
        r"invalidauthtoken|statuscode\.unauthenticated|token authentication is enabled",
        _RAY_REFUSES,
    ),
    (r"\b(ray|gcs|rpc(error)?)\b.*(unauthenticated|authentication token)", _RAY_REFUSES),
    (
        r"actordied|the actor died|the worker died unexpectedly|workercrashederror",
        "a host's process ended; Ray starts it again",
    ),
    (
        r"\braylet\b.*(died|failed|terminated)",
        "Ray's node process ended; its head is started again",
    ),
    (
        r"objectstorefull|\bobject store is full|object_store_memory",
        "Ray's object store is too small for this machine",
    ),
    (
        r"out of memory|\boom\b|\boom[- ]?kill|\bmemoryerror\b|\benomem\b|\berrno 12\b",
        "the machine has too little memory",
    ),
    (
        r"too many open files|\bemfile\b|\berrno 24\b",
        "the limit of open files is too low: ulimit -n",
    ),
    (r"modulenotfounderror|no module named", "a package is missing from the environment"),
    (r"another process writes", "a second projector was started; one is enough"),
)


def meaning_of(text: str) -> str:
    """Give what an error means, or "" where it is not one of those that are known."""
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return meaning
    return ""


def translated(text: str) -> str:
    """Give an error in our words with the original behind it, or as it is where it is unknown."""
    meaning = meaning_of(text)
    shown = text.strip()[:200]
    return f"{meaning} ({shown})" if meaning else shown
