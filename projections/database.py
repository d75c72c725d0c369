"""Databases: opened alike everywhere, written by exactly one process, read by any number."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine

BUSY_MILLISECONDS = 5_000
READERS_MAX = 8
LOCK_SECONDS = 3.0
LOCK_RETRY_SECONDS = 0.1
LOCK_KEY = 0x5F57A9D


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a SQLite connection is set up, and how its transactions begin."""

    begin: str
    pragmas: tuple[str, ...]


_BUSY = f"busy_timeout={BUSY_MILLISECONDS}"
_READING = _Manner("BEGIN", (_BUSY, "query_only=ON"))
_WRITING = _Manner(
    "BEGIN IMMEDIATE",
    (_BUSY, "journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY"),
)


class AlreadyWrittenError(Exception):
    """Another process writes these projections; there may be only one."""


def open_writer(url: str, attached: Mapping[str, Path] | None = None) -> Engine:
    """Open a database for the one process that writes it.

    `attached` are further SQLite files by the schema's name they are seen under.
    """
    return _open(url, _WRITING, attached or {})


def open_reader(url: str) -> Engine:
    """Open a database for reading; writing through it is refused."""
    return _open(url, _READING, {})


def sqlite_path(url: str) -> Path | None:
    """Give the file of a SQLite URL, or None for any other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    assert parsed.database, f"a file is needed, not {url!r}"
    return Path(parsed.database)


def sqlite_url(path: Path) -> str:
    """Give the URL of a SQLite file."""
    return f"sqlite:///{path}"


def json_text(value: object) -> str:
    """Give the one text of a JSON value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _open(url: str, manner: _Manner, attached: Mapping[str, Path]) -> Engine:
    if sqlite_path(url) is None:
        options = {"postgresql_readonly": manner is _READING}
        return create_engine(
            url, pool_size=READERS_MAX, execution_options=options, json_serializer=json_text
        )
    engine = create_engine(
        url, pool_size=READERS_MAX, connect_args={"timeout": 5.0}, json_serializer=json_text
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401
        connection.isolation_level = None  # transactions begin where we say so, DDL included
        for pragma in manner.pragmas:
            connection.execute(f"PRAGMA {pragma}")
        for schema, path in attached.items():
            connection.execute(f"ATTACH DATABASE ? AS {schema}", (str(path),))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(manner.begin)

    return engine


class WriterLock:
    """The right to write a database, held until released or until the process ends."""

    def __init__(self, url: str) -> None:
        """Prepare to lock the database of a URL."""
        self._url = url
        self._descriptor: int | None = None
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Take the right. Raises `AlreadyWrittenError` when another process has it."""
        path = sqlite_path(self._url)
        taken = self._lock_server_in_time() if path is None else self._lock_file(path)
        if not taken:
            message = f"another process writes {make_url(self._url).render_as_string()}"
            raise AlreadyWrittenError(message)

    def release(self) -> None:
        """Give the right back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._connection is not None:
            self._connection.close()
            self._connection.engine.dispose()
            self._connection = None

    def _lock_file(self, path: Path) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _lock_server_in_time(self) -> bool:
        """Try for a while: a server frees a killed session's lock only when it notices."""
        until = time.monotonic() + LOCK_SECONDS
        while not self._lock_server():
            if time.monotonic() > until:
                return False
            time.sleep(LOCK_RETRY_SECONDS)
        return True

    def _lock_server(self) -> bool:
        """Hold a session's advisory lock: it ends with the connection, whatever happens."""
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT", pool_size=1)
        connection = engine.connect()
        statement = text("SELECT pg_try_advisory_lock(:key)")
        if not connection.execute(statement, {"key": LOCK_KEY}).scalar():
            connection.close()
            engine.dispose()
            return False
        self._connection = connection
        return True
