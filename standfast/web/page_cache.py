"""One rendering serves all who look at the same moment: many open pages cost as much as one."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

KEPT_SECONDS = 1.0
PAGES_MAX = 32


class PageCache:
    """The last renderings, for a second at most. Safe to use from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Keep none yet."""
        self._monotonic = monotonic
        self._pages: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Give the page of a key; who comes while it is made waits for it."""
        with self._lock:
            until, page = self._pages.get(key, (0.0, b""))
            if self._monotonic() >= until:
                page = make()
                self._pages[key] = (self._monotonic() + KEPT_SECONDS, page)
                self._pages.move_to_end(key)
            while len(self._pages) > PAGES_MAX:
                self._pages.popitem(last=False)
            return page
