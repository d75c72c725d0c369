"""Apprise tells by more than a hundred services; its own log is read for what it will not say."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import apprise

from effects.contract import Failed, Guard, Result, Succeeded, Unknown
from effects.notifiers.settings import shown_place
from effects.notifiers.texts import body_of, title_of
from effects.notifiers.webhook import judge
from effects.secrets import SecretUnavailableError, resolve

if TYPE_CHECKING:
    from effects.notifiers.letter import Letter
    from effects.notifiers.settings import AppriseReceiver

THREADS_MAX = 8
LINES_MAX = 100
_STATUS = re.compile(r"error=(\d{3})\b")
_SENT_AND_SILENT = re.compile(
    r"read timed out|Exception: (the read operation )?timed out|RemoteDisconnected", re.IGNORECASE
)
_SEVERITIES = {
    "critical": apprise.NotifyType.FAILURE,
    "error": apprise.NotifyType.FAILURE,
    "warning": apprise.NotifyType.WARNING,
}


class Apprise:
    """Sends letters in threads: apprise waits while it sends."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="apprise")
        self._log = _Log()

    async def send(self, letter: Letter, settings: AppriseReceiver, guard: Guard) -> Result:
        """Send a letter once. No secret is in the result."""
        try:
            url = resolve(settings.url)
        except SecretUnavailableError as error:
            return Failed(f"{letter.receiver} can't be told: {error}")
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            reason = f"apprise does not understand the address of {letter.receiver}"
            return Failed(reason, permanent=True)
        seconds = min(settings.timeout_seconds, guard.left_seconds)
        return await self._send_in_time(letter, service, shown_place(url), guard, seconds)

    async def close(self) -> None:
        """Take no more letters; one that hangs ends by its own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._log.close()

    async def _send_in_time(
        self,
        letter: Letter,
        service: apprise.NotifyBase,
        place: str,
        guard: Guard,
        seconds: float,
    ) -> Result:
        turn = _Turn()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._send, letter, service, place, guard, turn
                )
        except TimeoutError:
            reason = f"{place} was not done within {seconds:.1f} s"
            return Unknown(reason) if turn.give_up() else Failed(reason)

    def _send(
        self,
        letter: Letter,
        service: apprise.NotifyBase,
        place: str,
        guard: Guard,
        turn: _Turn,
    ) -> Result:
        """Send, in a thread of its own. Waiting for a thread may have taken long."""
        guard.check()
        if not turn.begin():
            return Failed(f"{place} was not reached in time")
        with self._log.listen() as lines:
            is_sent = service.notify(
                title=title_of(letter), body=body_of(letter), notify_type=_type_of(letter)
            )
        if is_sent:
            return Succeeded(f"told by {place}")
        return explain(lines, place)


def explain(lines: list[str], place: str) -> Result:
    """Judge a failure by what apprise logged. Its words are not shown: they may hold secrets."""
    said = "\n".join(lines)
    if _SENT_AND_SILENT.search(said):
        return Unknown(f"{place} did not answer in time")
    status = _STATUS.search(said)
    if status is not None:
        return judge(int(status.group(1)), place)
    return Failed(f"{place} could not be reached, or refused")


def _type_of(letter: Letter) -> apprise.NotifyType:
    if letter.status == "resolved":
        return apprise.NotifyType.SUCCESS
    return _SEVERITIES.get(letter.story.labels.get("severity", ""), apprise.NotifyType.INFO)


class _Turn:
    """Either the thread begins or its caller gives it up, never both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_begun = self._is_given_up = False

    def begin(self) -> bool:
        """Begin; false where it was given up."""
        with self._lock:
            self._has_begun = not self._is_given_up
            return self._has_begun

    def give_up(self) -> bool:
        """Give it up; true where it has begun before."""
        with self._lock:
            self._is_given_up = True
            return self._has_begun


class _Log(logging.Handler):
    """Keeps what apprise logs, thread by thread, away from every other log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: dict[int, list[str]] = {}
        self._logger = logging.getLogger("apprise")
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate = False
        self._logger.addHandler(self)

    def listen(self) -> _Listening:
        """Listen to this thread."""
        return _Listening(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, if its thread is listened to."""
        lines = self._lines.get(threading.get_ident())
        if lines is not None and len(lines) < LINES_MAX:
            lines.append(record.getMessage())

    def close(self) -> None:
        """Stop to listen."""
        self._logger.removeHandler(self)
        super().close()


class _Listening:
    """The lines of one thread, for as long as it is listened to."""

    def __init__(self, lines: dict[int, list[str]]) -> None:
        self._all = lines

    def __enter__(self) -> list[str]:
        lines: list[str] = []
        self._all[threading.get_ident()] = lines
        return lines

    def __exit__(self, *_error: object) -> None:
        del self._all[threading.get_ident()]
