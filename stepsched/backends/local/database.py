"""The connection to the SQLite file, or to memory: opening, sharing between threads, forks and closing.

There is one connection, one lock, and transactions are short. A file is in WAL mode with normal
synchronisation: a commit survives the end of the process at any instruction (a loss of power may lose the
latest commits).
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import CO_GENERATOR
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, TracebackType
from typing import Any, TypeVar
from weakref import WeakSet, finalize

from stepsched.backends.local.schema import APPLICATION_ID, VERSION, migrate
from stepsched.core.errors import AccessDeniedError, BackendError, BackendUnavailableError, ErrorCode

Owner = TypeVar("Owner")
_BUSY = 5.0
"""The time in seconds to wait while another process writes."""
_LOG_APPEARS = 1.0
"""The longest time in seconds to wait until a log that another user creates can be opened."""


class Database:
    """The connection. Statements use :attr:`connection`, inside :meth:`transaction` or :meth:`rows`."""

    def __init__(self, path: str | Path | None) -> None:
        """Opens or creates the file; None: everything is kept in memory.

        Raises:
            BackendError: The file cannot be opened, is not an SQLite file, belongs to another program, or was
                written by a later stepsched. It is not changed.
        """
        self.path = None if path is None else Path(path).absolute()
        self.lock = threading.RLock()
        self.shown = path
        self.owner = 0
        """The ID of the thread that is inside a transaction."""
        self.inside: FrameType | None = None
        """The frame of the transaction's ``with``. None: it is in a generator, which may be suspended."""
        self._pid = os.getpid()
        self._closed = False
        self._broken: str | None = None
        """Why the connection cannot be used any more."""
        self._open: sqlite3.Connection | None = None
        self._closing: finalize[..., Database] | None = None
        """Closes the connection of an object that nobody has closed, once nobody refers to it."""
        self._identity: tuple[int, int] | None = None
        with _mapped("open", self.shown):
            self._connect()

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection; the lock must be held.

        Raises:
            BackendError: It is closed, or its file was deleted or replaced.
        """
        db = self._open
        return db if db is not None and self._pid == os.getpid() else self._reopened()

    def _reopened(self) -> sqlite3.Connection:
        if self._broken is None and self._pid != os.getpid():
            self._leave_to_parent()
        if self._broken is not None:
            raise BackendError("sqlite", "use", ErrorCode.FORKED, detail=self._broken)
        if self._closed:
            raise BackendError(
                "sqlite", "use", ErrorCode.CLOSED, detail="the backend is closed; create another one"
            )
        self._look_at_file("use")  # opening it again must not create a new file
        self._connect()
        assert self._open is not None
        return self._open

    def _connect(self) -> None:
        with _opening:
            self._connect_alone()

    def _connect_alone(self) -> None:
        if self.path is not None:
            self._prepare_file(self.path)
        db = sqlite3.connect(
            ":memory:" if self.path is None else self.path,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY,
        )
        try:
            _prepare(db, self.shown, self.path)
        except BaseException:
            db.close()
            raise
        self._open, self._pid = db, os.getpid()
        if self._closing is not None:
            self._closing.detach()
        self._closing = closing_when_dropped(self, db)
        self._closing.atexit = False  # then :func:`_close_all` does it
        self._identity = self._seen()
        _ALL.add(self)

    def _prepare_file(self, path: Path) -> None:
        """Creates a file that only its owner may read, or checks an existing one, before anything is
        written."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if path.is_file() and path.stat().st_size and not self._is_open_here():
                _refuse_foreign(path, self.shown)
        except OSError:  # SQLite raises the error
            return

    def _is_open_here(self) -> bool:
        """Returns whether another connection of this process has the file open.

        Then it is a file of stepsched. Opening it by other means than SQLite would release all locks of this
        process on it (https://www.sqlite.org/howtocorrupt.html, 2.2), and another process that closes the
        file would delete its log, with everything that is written to it afterwards.
        """
        seen = self._seen()
        return any(other.has_open(seen) for other in list(_ALL) if other is not self)

    def has_open(self, identity: tuple[int, int] | None) -> bool:
        """Returns whether this object has the file with that identity open in this process."""
        return self._open is not None and self._pid == os.getpid() and self._identity == identity

    def close(self) -> None:
        """Closes the file; every other call fails afterwards. May be called more than once."""
        self.end_interrupted()
        with self.lock:
            self._closed = True
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
                self._open = None

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def is_locked_here(self) -> bool:
        """Returns whether this thread holds the lock."""
        return _is_held(self.lock)

    def transaction(self, operation: str) -> AbstractContextManager[None]:
        """Runs the block as one transaction. A nested transaction joins the outer one."""
        return _Transaction(self, operation)

    def begin(self, operation: str) -> None:
        """For :meth:`transaction`; the lock must be held."""
        db = self.connection
        self._look_at_file(operation)
        self.owner = threading.get_ident()
        db.execute("BEGIN IMMEDIATE")

    def end(self, *, commit: bool) -> None:
        """For :meth:`transaction`; the lock must be held."""
        try:
            if self._open is not None and commit:
                self._open.execute("COMMIT")
        finally:
            self.undo()

    def undo(self) -> None:
        """Rolls back an open transaction, if there is one; the lock must be held."""
        self.owner, self.inside = 0, None
        db = self._open
        if db is not None and db.in_transaction:  # SQLite rolls some failures back itself
            db.execute("ROLLBACK")

    def end_interrupted(self) -> None:
        """Rolls back a transaction that this thread has left, and releases its lock: a Ctrl-C just before the
        end of a ``with`` can leave it open."""
        if self.owner != threading.get_ident() or self.inside is None:
            return
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 -- documented
        while frame is not None:
            if frame is self.inside:
                return
            frame = frame.f_back
        self.end(commit=False)
        self.lock.release()

    def rows(self, sql: str, values: Any = ()) -> list[Any]:
        """Returns the rows of a query."""
        self.end_interrupted()
        if self.owner == threading.get_ident() and self._open is not None:  # inside its transaction
            return self._open.execute(sql, values).fetchall()
        with self.lock, _mapped("read", self.shown):
            self._look_at_file("read")
            return self.connection.execute(sql, values).fetchall()

    # -- the file underneath ---------------------------------------------------------------------------

    def _seen(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            status = os.stat(self.path)  # noqa: PTH116 -- at every transaction
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _look_at_file(self, operation: str) -> None:
        if self.path is not None and self._seen() != self._identity:
            detail = (
                f"{self.shown} was deleted or replaced while it was open, so writes would be lost; "
                "end this program, put the file back, and start again"
            )
            raise BackendError("sqlite", operation, ErrorCode.REPLACED, detail=detail)

    # -- forks -----------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Closes the connection to a file before a fork: SQLite's locks are not inherited."""
        self.end_interrupted()
        self.lock.acquire()
        if self.path is not None and self._open is not None and not self.owner and self._pid == os.getpid():
            self._open.close()
            self._open = None

    def after_fork_in_parent(self) -> None:
        self.lock.release()

    def after_fork_in_child(self) -> None:
        self.lock = threading.RLock()
        if self._open is not None:
            self._leave_to_parent()
        elif self._broken is None:
            self._pid = os.getpid()

    def _leave_to_parent(self) -> None:
        """Abandons a connection that was open at the fork: it belongs to the parent, and is neither used nor
        closed in this process."""
        _LEFT.append(self._open)
        self._open, self.owner = None, 0
        if self.path is None:
            detail = "jobs in memory belong to the process that created the backend"
        else:
            detail = "this process was created by a fork that Python did not announce"
        self._broken = (
            f"{detail} (process {self._pid}, this is {os.getpid()}); create a LocalBackend after the fork"
            + (", or use a file" if self.path is None else "")
        )


class _Transaction(AbstractContextManager[None]):
    """A transaction as a context manager. It is a class rather than a generator because it is used often."""

    __slots__ = ("_database", "_is_nested", "_operation")

    def __init__(self, database: Database, operation: str) -> None:
        self._database = database
        self._operation = operation
        self._is_nested = False

    def __enter__(self) -> None:
        database = self._database
        database.end_interrupted()
        if database.owner == threading.get_ident():
            self._is_nested = True
            return
        try:
            database.lock.acquire()
            frame = sys._getframe(1)  # noqa: SLF001 -- documented
            database.inside = None if frame.f_code.co_flags & CO_GENERATOR else frame
            database.begin(self._operation)
        except BaseException as error:
            if _is_held(database.lock):  # a Ctrl-C may arrive before or after the lock is acquired
                database.undo()
                database.lock.release()
            self._raise_ours(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        database = self._database
        if self._is_nested:
            return
        try:
            database.end(commit=error is None)
        except BaseException as failure:
            database.undo()  # a Ctrl-C may arrive before anything is done
            self._raise_ours(failure)
            raise
        finally:
            database.lock.release()
        if error is not None:
            self._raise_ours(error)

    def _raise_ours(self, error: BaseException) -> None:
        if isinstance(error, (sqlite3.Error, UnicodeDecodeError)):
            raise _ours(error, self._operation, self._database.shown) from error


def _is_held(lock: Any) -> bool:
    """Returns whether this thread holds a reentrant lock, as :class:`threading.Condition` does."""
    return bool(lock._is_owned())  # noqa: SLF001


def _prepare(db: sqlite3.Connection, shown: object, path: Path | None) -> None:
    db.execute(
        "PRAGMA page_size = 1024"
    )  # of a new file: a commit writes whole pages, and a run changes little
    _use_log(db, path)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _version(db, shown)
        if version < VERSION:
            migrate(db, version)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _use_log(db: sqlite3.Connection, path: Path | None) -> None:
    """Sets WAL mode. While another process does the same, SQLite refuses it without waiting, so it is
    retried: the file is locked, or its log has just been created by another user, whose next call gives it
    the permissions of the file."""
    began = time.monotonic()
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            patience = _BUSY if str(error).startswith("database is locked") else 0.0
            if "unable to open" in str(error) and path is not None and os.access(path, os.R_OK | os.W_OK):
                patience = _LOG_APPEARS
            if time.monotonic() - began > patience:
                raise
            threading.Event().wait(0.01)
        else:
            return


def _version(db: sqlite3.Connection, shown: object) -> int:
    """Returns the version of the file; 0 if it is empty.

    Raises:
        BackendError: The file belongs to another program, or was written by a later stepsched.
    """
    (owner,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner == 0 and tables == 0:
        return 0
    if owner != APPLICATION_ID:
        raise _foreign(shown)
    if version > VERSION:
        raise _later(version, shown)
    return int(version)


def _refuse_foreign(path: Path, shown: object) -> None:
    """Checks that a file belongs to stepsched, without writing to it or its folder.

    Raises:
        BackendError: As for :func:`_version`.
    """
    with path.open("rb") as file:
        header = file.read(100)
    version, owner = (int.from_bytes(header[a:b], "big") for a, b in ((60, 64), (68, 72)))
    if header.startswith(b"SQLite format 3") and owner:  # others may be writing the rest
        if owner != APPLICATION_ID:
            raise _foreign(shown)
        if version > VERSION:
            raise _later(version, shown)
        return
    try:
        _look_inside(path, header, shown)
    except sqlite3.DatabaseError:
        with path.open("rb") as file:
            is_changed = file.read(100) != header
        if not is_changed:
            raise
        _refuse_foreign(path, shown)  # another process is initialising it


def _look_inside(path: Path, header: bytes, shown: object) -> None:
    """Checks a file whose header is not sufficient: it is empty, of another program, or not a database."""
    log = Path(f"{path}-wal")
    if header.startswith(b"SQLite format 3") and log.exists() and log.stat().st_size:
        # The latest changes are in the log, as left by a program that was killed.
        if path.stat().st_size > int.from_bytes(header[16:18], "big"):
            raise _foreign(shown)
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            shutil.copy(path, copy)
            shutil.copy(log, f"{copy}-wal")
            _look(copy, "mode=ro", shown)
        return
    # A file in WAL mode without a log is opened as immutable: otherwise SQLite would create a log.
    _look(path, "immutable=1" if header[18:20] == b"\2\2" else "mode=ro", shown)


def _look(path: Path, mode: str, shown: object) -> None:
    db = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, isolation_level=None, timeout=_BUSY)
    try:
        _version(db, shown)
    finally:
        db.close()


def _foreign(shown: object) -> BackendError:
    detail = f"{shown} belongs to another program; choose another file"
    return BackendError("sqlite", "open", ErrorCode.FOREIGN, detail=detail)


def _later(version: int, shown: object) -> BackendError:
    detail = f"{shown} has schema {version}, and this stepsched supports {VERSION}; install a newer one"
    return BackendError("sqlite", "open", ErrorCode.VERSION, detail=detail)


# -- the process ---------------------------------------------------------------------------------------

_ALL: WeakSet[Database] = WeakSet()
_LEFT: list[sqlite3.Connection | None] = []
"""Connections that belong to a parent process, referenced so that they are never closed."""
_held: list[Database] = []
"""Databases whose lock the forking thread holds."""
_forking = threading.RLock()
"""Held by the forking thread, acquired before all other locks."""
_opening = threading.RLock()
"""Held while a connection is opened, acquired after the lock of its database."""


def _before_fork() -> None:
    _forking.acquire()
    _held[:] = sorted(_ALL, key=id)
    for database in _held:
        database.before_fork()
    _opening.acquire()


def _after_fork_in_parent() -> None:
    _opening.release()
    _after_fork(Database.after_fork_in_parent)
    _forking.release()


def _after_fork_in_child() -> None:
    global _forking, _opening
    _forking, _opening = threading.RLock(), threading.RLock()
    _after_fork(Database.after_fork_in_child)


def _after_fork(step: Callable[[Database], None]) -> None:
    for database in reversed(_held):
        step(database)
    _held.clear()


def closing_when_dropped(owner: Owner, connection: sqlite3.Connection) -> finalize[..., Owner]:
    """Returns what closes a connection once nobody refers to its owner, or when it is called. In a child
    process the connection is left to the parent."""
    return finalize(owner, _close_dropped, connection, os.getpid())


def _close_dropped(connection: sqlite3.Connection, pid: int) -> None:
    """Closes a connection of which the object is gone; one of a parent process is left open."""
    if pid == os.getpid():
        connection.close()
    else:
        _LEFT.append(connection)


def _close_all() -> None:
    """Closes all databases at the end of the interpreter, so that no thread uses SQLite afterwards."""
    for database in list(_ALL):
        database.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
atexit.register(_close_all)


# -- errors --------------------------------------------------------------------------------------------

# The errors, by the beginning of SQLite's message: Python 3.10 does not provide the code
# (https://www.sqlite.org/rescode.html).
_ERRORS: tuple[tuple[str, type[BackendError], str, str], ...] = (
    ("database is locked", BackendUnavailableError, ErrorCode.BUSY, "another process has locked the file"),
    (
        "database table is locked",
        BackendUnavailableError,
        ErrorCode.LOCKED,
        "another connection has locked the table",
    ),
    (
        "database or disk is full",
        BackendUnavailableError,
        ErrorCode.FULL,
        "the disk is full; no recorded data is lost",
    ),
    ("disk I/O error", BackendUnavailableError, ErrorCode.IOERR, "the disk failed; no recorded data is lost"),
    ("attempt to write a readonly", AccessDeniedError, ErrorCode.READONLY, "the file cannot be written"),
    (
        "unable to open database",
        AccessDeniedError,
        ErrorCode.CANTOPEN,
        "the file cannot be opened; its folder may be missing",
    ),
    ("access permission denied", AccessDeniedError, ErrorCode.PERM, "access to the file is denied"),
    ("authorization denied", AccessDeniedError, ErrorCode.AUTH, "access to the file is denied"),
    (
        "database disk image is malformed",
        BackendError,
        ErrorCode.CORRUPT,
        "the file is damaged; restore a copy",
    ),
    ("Could not decode to UTF-8", BackendError, ErrorCode.CORRUPT, "the file is damaged; restore a copy"),
    ("malformed database schema", BackendError, ErrorCode.CORRUPT, "the file is damaged; restore a copy"),
    (
        "file is not a database",
        BackendError,
        ErrorCode.NOTADB,
        "the file is not an SQLite database; choose another file",
    ),
)


def _ours(error: sqlite3.Error | UnicodeDecodeError, operation: str, path: object) -> BackendError:
    """Translates an error of SQLite to a BackendError."""
    text = str(error)
    where = "" if path is None else f"{path}: "
    if isinstance(error, UnicodeDecodeError):  # raised by sqlite3 for invalid text
        detail = f"{where}the file is damaged; restore a copy ({text})"
        return BackendError("sqlite", operation, ErrorCode.CORRUPT, detail=detail)
    for beginning, kind, code, advice in _ERRORS:
        if text.startswith(beginning):
            again = kind is BackendUnavailableError
            return kind("sqlite", operation, code, retryable=again, detail=f"{where}{advice} ({text})")
    return BackendError("sqlite", operation, type(error).__name__, detail=f"{where}{text}")


@contextmanager
def _mapped(operation: str, path: object) -> Iterator[None]:
    """Translates SQLite's errors that are raised in the block."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _ours(error, operation, path) from error
