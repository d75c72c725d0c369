"""The outage on disk: a thread of its own writes it, and near the limit less is kept of each."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from effects.own_thread import BusyError, OwnThread
from standfast.emergency.records import Concluded, Unkept, outage_in
from standfast.emergency.spool import BYTES_MAX, Spool, SpoolFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Any

    from standfast.emergency.records import Outage, Record

WHOLE_SHARE = 0.75
"""So much of the room may be used before conclusions are kept without their excerpts."""
RESERVED_BYTES = 64 * 1024
"""Room that no conclusion takes: how many did not fit is said there, and that the log is back."""
CLOSE_SECONDS_MAX = 2.0
WAITING_MAX = 10_000
_LOGGER = logging.getLogger(__name__)


class OutageSpool:
    """Records of an outage for its one writer, in order.

    A disk that fails or hangs stops nobody: what is concluded is in memory, too, and the log hears
    of it from there.
    """

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        """Open it."""
        self._spool = Spool(path, bytes_max)
        self._whole_bytes = int(bytes_max * WHOLE_SHARE)
        self._short_bytes = bytes_max - RESERVED_BYTES
        self._thread = OwnThread("spool", WAITING_MAX)
        self._waiting: list[Record] = []
        self.outage: Outage | None = outage_in(self._spool.records)
        """The one that was there."""
        self._unkept = self.outage.unkept if self.outage else 0

    def keep(self, *records: Record) -> None:
        """Have records written, and return at once."""
        self._begin(partial(self._write, records))

    def forget(self) -> None:
        """Have all records forgotten."""
        self._begin(self._clear)

    def settle(self, seconds_max: float) -> None:
        """Wait until all is written. Raises `TimeoutError`."""
        self._thread.begin(lambda: None).result(seconds_max)

    def close(self) -> None:
        """Let the file go when all is written, unless its disk hangs; a successor goes on."""
        self._begin(self._spool.close)
        with suppress(TimeoutError, BusyError):
            self.settle(CLOSE_SECONDS_MAX)
        self._thread.close()

    def _begin(self, work: Callable[[], None]) -> None:
        try:
            self._thread.begin(work)
        except BusyError:
            _LOGGER.error("the spool's disk hangs")  # noqa: TRY400  (it says all)

    def _write(self, records: tuple[Record, ...]) -> None:
        """Write records after those that the disk refused before."""
        self._waiting += records
        try:
            if self._spool.has_room_for(*_dumped(self._waiting), bytes_max=self._whole_bytes):
                self._spool.append(*_dumped(self._waiting))
                self._waiting.clear()
            while self._waiting:
                self._write_short(self._waiting[0])
                self._waiting.pop(0)
        except (OSError, SpoolFullError) as error:
            _LOGGER.error("the spool can't be written: %s", error)  # noqa: TRY400  (it says all)

    def _write_short(self, record: Record) -> None:
        """Write a record without what can be spared; of what does not fit the number is kept."""
        if not isinstance(record, Concluded):
            self._spool.append(record.model_dump())
            return
        short = record.model_copy(update={"excerpt": ()}).model_dump()
        if not self._unkept and self._spool.has_room_for(short, bytes_max=self._short_bytes):
            self._spool.append(short)
            return
        self._unkept += 1
        if self._unkept.bit_count() == 1:  # 1, 2, 4: that needs little room
            self._spool.append(Unkept(conclusions=self._unkept).model_dump())

    def _clear(self) -> None:
        self._waiting.clear()
        self._unkept = 0
        try:
            self._spool.clear()
        except OSError as error:
            _LOGGER.warning("the spool can't be emptied: %s", error)


def _dumped(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [record.model_dump() for record in records]
