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
        ("[Errno 98] Address already in use", "port"),
        ("ModuleNotFoundError: No module named 'ray'", "package"),
    ],
)
def test_known_words_are_translated(said: str, meant: str) -> None:
    assert meant in meaning_of(said)
    assert said[:50] in translated(said)


def test_unknown_words_stay_as_they_are() -> None:
    assert translated("something else entirely") == "something else entirely"
    assert len(translated("x" * 5000)) == 200
