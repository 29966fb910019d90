"""Kept answers: a request that is sent twice with one ``Idempotency-Key`` acts once.

The keys are in an SQLite file of their own, or in memory. They are never in the file of a backend, whose
tables belong to the backend.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4
from weakref import finalize

from stepsched.backends.base import Backend
from stepsched.backends.local.database import closing_when_dropped
from stepsched.core.errors import BackendError, BackendUnavailableError, ErrorCode

KEPT = timedelta(hours=24)
"""How long an answer is kept."""
LEASE = timedelta(seconds=60)
"""How long a key belongs to a process that has not renewed it: it has died."""
MOST_KEYS = 10_000
"""The maximum number of keys that are kept."""
MOST_BYTES = 64 * 2**20
"""The maximum size of all kept answers in bytes."""
_BUSY = 5.0
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY,
    request BLOB NOT NULL,
    owner TEXT NOT NULL,
    claimed_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    size INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    headers TEXT,
    body BLOB
) WITHOUT ROWID
"""
"""A key without a status is in progress; ``until`` is then the end of the lease, else that of the answer."""
_MARK = 0x73734B59
"""The ``application_id`` of such a file."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class KeptAnswer(NamedTuple):
    """An answer as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class Claim(NamedTuple):
    """A key that belongs to this request until it is answered."""

    key: bytes
    owner: str
    claimed_at: datetime
    """The instant at which the first request with the key came."""
    is_repeated: bool
    """Whether an earlier request had the key and was cut off."""


class InProgress(NamedTuple):
    """Another request has the key and is not answered yet."""

    seconds: int
    """The time in seconds after which the key is free if that request has died."""


class Mismatch(NamedTuple):
    """The key belongs to another request."""


class Full(NamedTuple):
    """No more keys can be kept."""


class Answers:
    """The kept answers."""

    def __init__(self, path: Path | None, backend: Backend, *, most_keys: int = MOST_KEYS) -> None:
        """Creates the store; the file is opened at the first use.

        Args:
            path: The file. None: in memory.
            backend: The backend whose clock counts.
            most_keys: The maximum number of keys.
        """
        self._most_keys = most_keys
        self._path = path
        self._backend = backend
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._closing: finalize[..., Answers] | None = None
        self._pid = -1

    def claim(self, key: bytes, request: bytes) -> Claim | KeptAnswer | InProgress | Mismatch | Full:
        """Takes a key for a request, or returns why it is not free.

        Args:
            key: The key, as :func:`stored_key` returns it.
            request: The digest of the request.
        """
        now, owner = self._micros(), uuid4().hex
        lease = LEASE // timedelta(microseconds=1)
        with self._transaction("claim") as db:
            # A key that a process has left behind is kept as long as an answer: its request may come again.
            old = "DELETE FROM answers WHERE until <= CASE WHEN status IS NULL THEN ? ELSE ? END"
            db.execute(old, (now - KEPT // timedelta(microseconds=1), now))
            row = db.execute(
                "SELECT request, claimed_at, until, status, headers, body FROM answers WHERE key = ?", (key,)
            ).fetchone()
            if row is None:
                count, size = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM answers").fetchone()
                if count >= self._most_keys or size >= MOST_BYTES:
                    return Full()
                db.execute(
                    "INSERT INTO answers (key, request, owner, claimed_at, until) VALUES (?, ?, ?, ?, ?)",
                    (key, request, owner, now, now + lease),
                )
                return Claim(key, owner, _instant(now), is_repeated=False)
            known, claimed_at, until, status, headers, body = row
            if known != request:
                return Mismatch()
            if status is not None:
                return KeptAnswer(status, json.loads(headers), body)
            if until > now:
                return InProgress(-(-(until - now) // 1_000_000))
            db.execute("UPDATE answers SET owner = ?, until = ? WHERE key = ?", (owner, now + lease, key))
            return Claim(key, owner, _instant(claimed_at), is_repeated=True)

    def renew(self, claim: Claim) -> None:
        """Keeps a key for a request that takes long."""
        until = self._micros() + LEASE // timedelta(microseconds=1)
        with self._transaction("renew") as db:
            sql = "UPDATE answers SET until = ? WHERE key = ? AND owner = ? AND status IS NULL"
            db.execute(sql, (until, claim.key, claim.owner))

    def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keeps the answer to a request that has acted."""
        until = self._micros() + KEPT // timedelta(microseconds=1)
        with self._transaction("keep") as db:
            db.execute(
                "UPDATE answers SET until = ?, size = ?, status = ?, headers = ?, body = ?"
                " WHERE key = ? AND owner = ?",
                (
                    until,
                    len(answer.body),
                    answer.status,
                    json.dumps(answer.headers),
                    answer.body,
                    claim.key,
                    claim.owner,
                ),
            )

    def release(self, claim: Claim) -> None:
        """Frees the key of a request that was refused: the next one with it is looked at anew."""
        with self._transaction("release") as db:
            sql = "DELETE FROM answers WHERE key = ? AND owner = ? AND status IS NULL"
            db.execute(sql, (claim.key, claim.owner))

    def _micros(self) -> int:
        return (self._backend.now() - _EPOCH) // timedelta(microseconds=1)

    @contextmanager
    def _transaction(self, operation: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                db = self._connection()
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                finally:
                    db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                busy = ErrorCode.BUSY
                raise BackendUnavailableError(
                    "sqlite", f"{operation} of a key", busy, retryable=True
                ) from error
            except sqlite3.Error as error:
                name = type(error).__name__
                raise BackendError("sqlite", f"{operation} of a key", name) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is None or self._pid != os.getpid():  # a connection does not survive a fork
            if self._closing is not None:
                self._closing()
            self._open, self._pid = _opened(self._path), os.getpid()
            self._closing = closing_when_dropped(self, self._open)
        return self._open


def _opened(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            _refuse_foreign(path)
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error
    db = sqlite3.connect(
        ":memory:" if path is None else path, isolation_level=None, check_same_thread=False, timeout=_BUSY
    )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA application_id = {_MARK}")
    db.execute(_TABLE)
    return db


def _refuse_foreign(path: Path) -> None:
    """Refuses a file of another program, such as that of a backend, before anything is written."""
    if not path.stat().st_size:
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        (mark,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if mark != _MARK and tables:
        raise sqlite3.DatabaseError(f"{path} belongs to another program")


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def stored_key(principal: object, key: str) -> bytes:
    """Returns a key as it is stored: keys of different principals differ."""
    return sha256(f"{principal}\0{key}".encode("utf-8", "surrogatepass")).digest()


def digest_of(method: str, path: str, query: str, body: bytes) -> bytes:
    """Returns the digest by which two requests are the same."""
    head = "\0".join((method, path, query)).encode("utf-8", "surrogatepass")
    return sha256(head + b"\0" + body).digest()


def place_of_answers(answers: str | Path | None, backend: Backend) -> Path | None:
    """Returns where answers are kept.

    Args:
        answers: The file. None: beside the file of an embedded backend, with ``-answers`` after its name;
            in memory if there is none.
        backend: The backend.

    Raises:
        ValueError: It is the file of the backend.
    """
    own = getattr(backend, "path", None)
    if answers is None:
        return Path(f"{own}-answers") if isinstance(own, Path) else None
    path = Path(answers)
    if isinstance(own, Path) and path.absolute() == own:
        raise ValueError(f"expected a file of its own for answers, got the backend's {str(path)!r}")
    return path
