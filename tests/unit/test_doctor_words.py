"""The words of NATS, Ray and the system are said as what they mean."""

from __future__ import annotations

import pytest

from standfast.doctor.words import meaning_of, translated


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("nats: no responders available for request", "nobody listens"),
        ("nats: 'Authorization Violation'", "another token"),
        ("code=503 err_code=10047 description='insufficient resources'", "disk"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("maximum consumers limit reached", "readers"),
        ("Failed to connect to GCS at address 127.0.0.1:6379", "Ray's head"),
        ("InvalidAuthToken: authentication token is missing", "token"),
        ("ray.exceptions.ActorDiedError: The actor died unexpectedly", "host's process"),
        ("ConnectionRefusedError: [Errno 111] Connect call failed", "nobody listens"),
        ("ConnectionResetError: Connection lost", "hung up"),
        ("NoServersError: nats: no servers available for connection", "can't be reached"),
        ("TimeoutError: nats: timeout", "in time"),
        ("TimeoutError: ", "in time"),
        ("nats: NoStreamResponseError: no response from stream", "in time"),
        ("BadRequestError: code=400 err_code=10077 description='maximum bytes exceeded'", "limit"),
        ("code=500 err_code=10047 description='insufficient storage resources available'", "full"),
        ("sqlite3.OperationalError: database or disk is full", "full"),
        ("OSError: [Errno 5] Input/output error", "disk fails"),
        ("OSError: [Errno 30] Read-only file system", "read-only"),
        (
            "code=503 err_code=10039 description='JetStream not enabled for account'",
            "keeps nothing",
        ),
        ("nats: maximum payload exceeded", "larger"),
        ("ConnectionError: Failed to connect to Ray cluster at 127.0.0.1:6379", "Ray's head"),
        ("RpcError: UNAVAILABLE: GCS died", "Ray's head"),
        ("The raylet process died unexpectedly", "node process"),
        ("[Errno 98] Address already in use", "port"),
        ("ModuleNotFoundError: No module named 'ray'", "package"),
    ],
)
def test_known_words_are_translated(said: str, meant: str) -> None:
    assert meant in meaning_of(said)
    assert said[:50].strip() in translated(said)


@pytest.mark.parametrize(
    "said",
    [
        "there is no room left for it",
        "bedroom, ballroom and mushroom",
        "listening on 127.0.0.1:10071",
        "process 10047 ended",
        "errno 2800",
        "port 10039 is free",
        "connection to server on socket failed: FATAL: role does not exist",
        "psycopg.OperationalError: failed to connect to all servers of the database",
        "curl: (7) Failed to connect to example.org port 443: no route to host",
        "smtplib: failed to connect to mail.example.org",
        "ERROR: permission denied for table orders",
        "HTTP 413 Payload Too Large",
        "the background worker of the queue died",
        "530 5.7.0 authentication token expired",
        "the tray is unavailable",
    ],
)
def test_other_words_that_look_alike_are_not_blamed_on_what_is_ours(said: str) -> None:
    assert meaning_of(said) == ""


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("OSError: [Errno 28] No space left on device: '/x'", "the disk is full"),
        ("nats: ServerError: code=503 err_code=10023 description=''", "disk of the log"),
        ("nats: BadRequestError: code=400 err_code=10071 description=''", "another writer"),
        ("MemoryError", "memory"),
        ("Out of memory: Killed process 7", "memory"),
        ("systemd: service was killed by the OOM killer", "memory"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "who owns it"),
        ("bash: /x: Permission denied", "who owns it"),
        ("grpc.StatusCode.UNAUTHENTICATED", "token"),
        ("The worker died unexpectedly while executing this task.", "host's process"),
    ],
)
def test_what_is_ours_is_known_by_its_context(said: str, meant: str) -> None:
    assert meant in meaning_of(said)


def test_unknown_words_stay_as_they_are() -> None:
    assert translated("something else entirely") == "something else entirely"
    assert len(translated("x" * 5000)) == 200
