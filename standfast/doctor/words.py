"""The words of NATS, Ray and the system, said as what they mean for whoever runs Standfast."""

from __future__ import annotations

import re

_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"authorization violation|invalid token.*nats", "the log's server asks for another token"),
    (r"no responders", "nobody listens for it: the process that should answer does not run"),
    (r"connection ?refused|errno 111", "nobody listens there: the process does not run"),
    (r"connection (reset|lost|closed)|unexpected eof|errno 104", "the other side hung up"),
    (r"no servers? available|noserverserror", "the log's server can't be reached"),
    (r"nats: timeout|no response from stream", "the log's server does not answer in time"),
    (r"^timeouterror:?\s*$", "no answer in time"),
    (r"maximum consumers limit|10026", "the log's server has as many readers as it allows"),
    (r"maximum messages? exceeded|maximum bytes exceeded|10077", "the log has reached its limit"),
    (
        r"insufficient (storage )?resources|no space left|enospc|database or disk is full|10047",
        "the disk of the log is full",
    ),
    (r"input/output error|errno 5\]", "the disk fails: it could not read or write"),
    (r"read-only file system|errno 30", "the disk became read-only: it failed, most likely"),
    (r"maximum payload|payload too large", "a message is larger than the log's server allows"),
    (r"jetstream not enabled|10039|10076", "the log's server keeps nothing: its disk failed"),
    (r"database is locked", "another process has the projections' database locked"),
    (r"wrong last sequence|10071", "another writer was first; the host reads again"),
    (r"stream not found|10059", "the log has no such stream: it was never started, or is damaged"),
    (r"address already in use|eaddrinuse", "its port is taken by another process"),
    (r"permission denied|eacces", "it may not read or write a file: look at who owns it"),
    (r"failed to connect|gcs.*(unavailable|died)|rpc.*unavailable", "Ray's head does not answer"),
    (r"unauthenticated|authentication token|invalid or missing.*token", "Ray refuses the token"),
    (r"actordied|actor died|worker.*died", "a host's process ended; Ray starts it again"),
    (r"raylet.*(died|failed|terminated)", "Ray's node process ended; its head is started again"),
    (r"object ?store.*(full|memory)", "Ray's object store is too small for this machine"),
    (r"out of memory|oom|memoryerror", "the machine has too little memory"),
    (r"too many open files|emfile", "the limit of open files is too low: ulimit -n"),
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
