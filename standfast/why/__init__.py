"""Why something happened and what followed: by causes named in the log, never by clocks."""

from __future__ import annotations

from standfast.why.chain import Chain, Link, in_order, links_of
from standfast.why.closure import Closure, start_of
from standfast.why.journal import Journal, MemoryJournal, NothingKnownError

__all__ = ["Chain", "Closure", "Journal", "Link", "MemoryJournal", "NothingKnownError", "why"]


def why(journal: Journal, wanted: str) -> Chain:
    """Give the chain around an entity's latest episode (`kind/id`) or around an event (its id).

    Raises `NothingKnownError`.
    """
    closure = Closure(journal)
    closure.close(start_of(journal, wanted))
    links = links_of(in_order(list(closure.found.values())))
    return Chain(wanted, tuple(links), closure.truncated)
