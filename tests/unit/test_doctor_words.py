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


def test_unknown_words_stay_as_they_are() -> None:
    assert translated("something else entirely") == "something else entirely"
    assert len(translated("x" * 5000)) == 200
