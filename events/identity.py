"""Which log, which life of it, and how far its earlier lives are part of the present one.

A generation begins when the log is restored: it shares its beginning with the one that the backup
was made of, and nothing after. A position names the generation in which its commit was made, so
what is shared has one name for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.base import Position

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG_ID_KEY = "standfast-log-id"
GENERATION_KEY = "standfast-generation"
SHARED_KEY = "standfast-shared"


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Which log, and which life of it: the generation rises when the log was restored.

    `shared` holds, for each earlier generation in order, the last sequence that it has in common
    with this one.
    """

    log_id: str
    generation: int
    shared: tuple[tuple[int, int], ...] = ()

    def position(self, sequence: int) -> Position:
        """Give the position of a sequence: under the first generation that had it."""
        for generation, last in self.shared:
            if sequence <= last:
                return Position(self.log_id, generation, sequence)
        return Position(self.log_id, self.generation, sequence)

    def place_of(self, position: Position) -> int | None:
        """Give the sequence of a position, or None where it is of another or of a lost life."""
        if position.log_id != self.log_id:
            return None
        if position.generation == self.generation:
            return position.sequence
        last = dict(self.shared).get(position.generation, -1)
        return position.sequence if position.sequence <= last else None

    def successor(self, backup: LogIdentity, head: int, newest: int) -> LogIdentity:
        """Give the identity of this log after a backup of it, up to `head`, was restored.

        `newest` is the highest generation that is known of. Where nobody knows exactly how much
        an earlier generation shares, it is at least so much.
        """
        assert backup.log_id == self.log_id, "a backup of another log is refused"
        with_backup = {**dict(backup.shared), backup.generation: head}
        with_this = {**dict(self.shared), self.generation: self.shared_with(backup, head)}
        generation = max(newest, self.generation, backup.generation) + 1
        shared = tuple(
            (earlier, min(head, with_backup.get(earlier, self._at_least(earlier, with_this))))
            for earlier in range(1, generation)
        )
        return LogIdentity(self.log_id, generation, shared)

    def shared_with(self, backup: LogIdentity, head: int) -> int:
        """Give the last sequence that this log has in common with a backup of it up to `head`."""
        if backup.generation == self.generation:
            return head
        if backup.generation < self.generation:
            return min(head, dict(self.shared).get(backup.generation, 0))
        return min(head, dict(backup.shared).get(self.generation, 0))

    def _at_least(self, earlier: int, with_this: Mapping[int, int]) -> int:
        return min(with_this.get(earlier, 0), with_this[self.generation])


def metadata_of(identity: LogIdentity) -> dict[str, str]:
    """Give a stream's metadata that say whose it is."""
    shared = " ".join(f"{generation}:{last}" for generation, last in identity.shared)
    content = {LOG_ID_KEY: identity.log_id, GENERATION_KEY: str(identity.generation)}
    return {**content, SHARED_KEY: shared} if shared else content


def identity_in(metadata: Mapping[str, str]) -> LogIdentity:
    """Read an identity from a stream's metadata. Raises `KeyError` where there is none."""
    parts = [part.partition(":") for part in metadata.get(SHARED_KEY, "").split()]
    shared = tuple((int(generation), int(last)) for generation, _, last in parts)
    return LogIdentity(metadata[LOG_ID_KEY], int(metadata[GENERATION_KEY]), shared)
