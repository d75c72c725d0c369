"""Writes the golden bytes of stored types that have none: `python -m tests.replay.write_golden`.

What is written once is never written again: it is what released versions left in people's logs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from events import codec
from events.address import EntityAddress
from events.base import Event
from events.commit import StoredCommit, decode_commit
from events.identity import LogIdentity
from events.telemetry import decode_batch
from tests.replay.examples import (
    example_batch_bytes,
    example_bytes,
    example_commit,
    example_event,
)

GOLDEN = Path(__file__).parent / "golden"
BATCH = "standfast.telemetry.batch.v1"
LOG, SEQUENCE = LogIdentity("golden", 1), 42


def stored_types() -> list[str]:
    """Give the types that a build stores: events, and telemetry."""
    assert codec.UPCASTERS is not None, "importing the codec registers every event"
    return sorted(name for name, event in Event.registry.items() if is_ours(event))


def is_ours(event: type[Event]) -> bool:
    """Say whether an event is the product's, and not one that a test made."""
    return event.__module__.startswith("events.")


def readable_commit(payload: bytes, stored_type: str) -> dict[str, object]:
    """Give what a commit's bytes mean today, as JSON does."""
    entity = example_commit(example_event(Event.registry[stored_type])).entity
    return readable(payload, entity)


def readable(payload: bytes, entity: EntityAddress) -> dict[str, object]:
    """Give what the bytes of an entity's commit mean today, as JSON does."""
    commit = decode_commit(payload, entity)
    stored = StoredCommit(commit, SEQUENCE, payload, LOG)
    return {
        "id": commit.id,
        "previous": {
            "sequence": commit.previous.sequence,
            "digest": commit.previous.digest.hex(),
        },
        "digest": stored.digest.hex(),
        "events": [envelope.as_cloudevent() for envelope in stored.envelopes()],
        "marks": [
            None if origin.mark is None else [origin.mark.policy, origin.mark.number]
            for origin in commit.origins
        ],
    }


def readable_batch(payload: bytes) -> dict[str, object]:
    """Give what a batch's bytes mean today, as JSON does."""
    batch = decode_batch(payload)
    vantage = batch.vantage
    return {
        "vantage": [
            vantage.platform,
            vantage.cell,
            vantage.producer,
            vantage.build,
            vantage.lagged,
            vantage.canary_failed,
        ],
        "start": batch.start.isoformat(),
        "labels": [[list(pair) for pair in labels] for labels in batch.labels],
        "series": batch.series.tolist(),
        "offsets": batch.offsets.tolist(),
        "values": batch.values.astype("<f8").tobytes().hex(),
        "created": {str(place): time.isoformat() for place, time in batch.created.items()},
        "histograms": json.loads(json.dumps(batch.histograms)),
        "exemplars": json.loads(json.dumps(batch.exemplars)),
        "details": json.loads(json.dumps(batch.details)),
    }


def write(name: str, payload: bytes, meaning: dict[str, object]) -> bool:
    """Write one type's files unless they are there; False where other bytes are there."""
    path = GOLDEN / f"{name}.hex"
    if path.exists():
        return bytes.fromhex(path.read_text()) == payload
    lines = [payload.hex()[start : start + 96] for start in range(0, len(payload) * 2, 96)]
    path.write_text("\n".join(lines) + "\n")
    text = json.dumps(meaning, indent=2, ensure_ascii=False, sort_keys=True)
    path.with_suffix(".json").write_text(text + "\n")
    return True


def main() -> int:
    """Write what is missing; exit code 1 where today's bytes differ from written ones."""
    GOLDEN.mkdir(exist_ok=True)
    payloads = {name: example_bytes(name) for name in stored_types()}
    kept = {name: write(name, data, readable_commit(data, name)) for name, data in payloads.items()}
    batch = example_batch_bytes()
    kept[BATCH] = write(BATCH, batch, readable_batch(batch))
    for name in (name for name, same in kept.items() if not same):
        sys.stderr.write(f"{name}: today's bytes differ; give it a new version and an upcaster\n")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
