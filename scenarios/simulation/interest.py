"""Who is interested in a subject: found by a few look-ups, however many they are."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


def matches(pattern: str, subject: str) -> bool:
    """Say whether a subject matches a pattern: whole, or up to a final `>`."""
    if pattern.endswith(".>"):
        return subject.startswith(pattern[:-1]) and len(subject) >= len(pattern)
    return pattern in (">", subject)


class Interest(Generic[T]):
    """Those who wait, by exact subjects and by patterns that end in `>`.

    `*` is not among what Standfast subscribes to. Whoever came first is found first.
    """

    def __init__(self) -> None:
        self._exact: dict[str, dict[T, None]] = {}
        self._beginnings: dict[str, dict[T, None]] = {}

    def add(self, pattern: str, who: T) -> None:
        """Let someone wait."""
        self._table(pattern).setdefault(_key(pattern), {})[who] = None

    def remove(self, pattern: str, who: T) -> None:
        """Let someone wait no longer."""
        table, key = self._table(pattern), _key(pattern)
        waiting = table.get(key)
        if waiting is not None:
            waiting.pop(who, None)
            if not waiting:
                del table[key]

    def find(self, subject: str) -> list[T]:
        """Give all who wait for a subject, each once."""
        found = dict(self._exact.get(subject, ()))
        beginnings = self._beginnings
        if beginnings:
            place = subject.find(".")
            while place >= 0:
                found.update(beginnings.get(subject[:place], ()))
                place = subject.find(".", place + 1)
            found.update(beginnings.get("", ()))
        return list(found)

    def _table(self, pattern: str) -> dict[str, dict[T, None]]:
        assert "*" not in pattern, pattern
        return self._beginnings if pattern.endswith(">") else self._exact


def _key(pattern: str) -> str:
    return pattern[:-1].rstrip(".") if pattern.endswith(">") else pattern
