"""Moments as people write them: an instant with its zone, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGO = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd])")
VALID = "2026-11-25T12:00:00Z, or how long ago, as in 90s, 10m, 2h or 1d"


class BadMomentError(ValueError):
    """The text is not a moment; the message says what is valid."""


def parse_moment(text: str, now: datetime) -> datetime:
    """Read an instant (UTC where it names no zone) or an age. Raises `BadMomentError`."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadMomentError(f"{text[:60]!r} is not a moment; valid is {VALID}") from error
