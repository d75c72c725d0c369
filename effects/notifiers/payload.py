"""Alertmanager's webhook payload, version 4, so that what people have already can read it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from effects.notifiers.letter import Letter

VERSION = "4"
NOT_ENDED = "0001-01-01T00:00:00Z"
_FNV_OFFSET, _FNV_PRIME, _BITS = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1
_SEPARATOR = b"\xff"


def payload_of(letter: Letter) -> dict[str, Any]:
    """Give the payload of a letter: one alert in a group of its own."""
    story = letter.story
    labels, annotations = story.labels, story.annotations
    alertname = labels.get("alertname", "")
    ended = story.ended if letter.status == "resolved" else None
    alert = {
        "status": letter.status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": moment(story.started),
        "endsAt": NOT_ENDED if ended is None else moment(ended),
        "generatorURL": _page_of(letter),
        "fingerprint": fingerprint(labels),
    }
    return {
        "version": VERSION,
        "groupKey": f'{{}}:{{alertname="{alertname}", standfast="{story.alert}"}}',
        "truncatedAlerts": 0,
        "status": letter.status,
        "receiver": letter.receiver,
        "groupLabels": {"alertname": alertname},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": letter.external_url,
        "alerts": [alert],
    }


def moment(time: datetime) -> str:
    """Give a time as RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def fingerprint(labels: Mapping[str, str]) -> str:
    """Give the fingerprint of a set of labels, as Prometheus does (64-bit FNV-1a of all pairs)."""
    value = _FNV_OFFSET
    for name in sorted(labels):
        for part in (name.encode(), _SEPARATOR, labels[name].encode(), _SEPARATOR):
            for byte in part:
                value = ((value ^ byte) * _FNV_PRIME) & _BITS
    return f"{value:016x}"


def _page_of(letter: Letter) -> str:
    if not letter.external_url or not letter.story.incident:
        return letter.external_url
    return f"{letter.external_url.rstrip('/')}/incidents/{letter.story.incident}"
