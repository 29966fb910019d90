"""The connection to the SQLite file, or to memory: how it is opened, shared by threads, carried over a
fork, and closed.

One connection, one lock, short transactions. A file is in WAL mode with normal synchronisation: what is
committed survives the end of the process at any instruction (a loss of power may take the latest commits).
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
from typing import Any
from weakref import WeakSet

from stepsched.backends.local.schema import APPLICATION_ID, VERSION, migrate
from stepsched.core.errors import AccessDeniedError, BackendError, BackendUnavailableError, ErrorCode

_BUSY = 5.0
"""Seconds to wait while another process writes."""


class Database:
    """See the module. Statements go through :attr:`connection`, inside :meth:`transaction` or
    :meth:`rows`."""

    def __init__(self, path: str | Path | None) -> None:
        """Opens or creates the file; None keeps everything in memory.

        Raises:
            BackendError: The file cannot be opened, is no SQLite file, is another program's or of a later
                stepsched. It is left as it was.
        """
        self.path = None if path is None else Path(path).absolute()
        self.lock = threading.RLock()
        self.shown = path
        self.owner = 0
        """The thread that is inside a transaction."""
        self.inside: FrameType | None = None
        """The frame whose ``with`` that is; None where it is a generator's, which may be left meanwhile."""
        self._pid = os.getpid()
        self._closed = False
        self._broken: str | None = None
        """Why the connection is of no use any more."""
        self._open: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        with _mapped("open", self.shown):
            self._connect()

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection; the lock must be held.

        Raises:
            BackendError: It is closed, or its file is gone.
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
                "sqlite", "use", ErrorCode.CLOSED, detail="the backend is closed; make another one"
            )
        self._look_at_file("use")  # to open it anew must not make another one
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
            _prepare(db, self.shown)
        except BaseException:
            db.close()
            raise
        self._open, self._pid = db, os.getpid()
        self._identity = self._seen()
        _ALL.add(self)

    def _prepare_file(self, path: Path) -> None:
        """Makes a file for its owner alone, or looks whose it is, before anything is written."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if path.is_file() and path.stat().st_size and not self._is_open_here():
                _refuse_foreign(path, self.shown)
        except OSError:  # SQLite says what is wrong
            return

    def _is_open_here(self) -> bool:
        """Whether another connection of this process has the file open.

        Then it is ours. And to look at it but through SQLite would take all locks of this process on it away
        (https://www.sqlite.org/howtocorrupt.html, 2.2), so that another process that closes the file would
        delete its log, with all that is written to it from then on.
        """
        seen = self._seen()
        return any(other.has_open(seen) for other in list(_ALL) if other is not self)

    def has_open(self, identity: tuple[int, int] | None) -> bool:
        """Whether this process has the file of that identity open here."""
        return self._open is not None and self._pid == os.getpid() and self._identity == identity

    def close(self) -> None:
        """Closes the file. Harmless twice; every other call fails from then on."""
        self.end_interrupted()
        with self.lock:
            self._closed = True
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
                self._open = None

    @property
    def is_closed(self) -> bool:
        return self._closed

    def transaction(self, operation: str) -> AbstractContextManager[None]:
        """Everything inside happens or nothing does. Nested ones join the outer one."""
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
        """Ends what is left of a transaction; the lock must be held. Harmless where nothing is."""
        self.owner, self.inside = 0, None
        db = self._open
        if db is not None and db.in_transaction:  # SQLite ends some failures itself, such as a full disk
            db.execute("ROLLBACK")

    def end_interrupted(self) -> None:
        """Undoes a transaction that this thread is not inside any more, and lets its lock go: a Ctrl-C that
        comes just before the end of a ``with`` leaves one so."""
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
        """The rows of a query."""
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
                f"{self.shown} was deleted or replaced while it was open; what is written now would be"
                " lost: "
                "end this program, put the file back, and start again"
            )
            raise BackendError("sqlite", operation, ErrorCode.REPLACED, detail=detail)

    # -- forks -----------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """No connection to a file lives through a fork: SQLite's locks would be neither process's."""
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
        """What was open at the fork stays the parent's; in this process it is neither used nor closed."""
        _LEFT.append(self._open)
        self._open, self.owner = None, 0
        if self.path is None:
            detail = "jobs in memory are those of the process that made the backend"
        else:
            detail = "this process was made by a fork that Python did not announce"
        self._broken = (
            f"{detail} (process {self._pid}, this is {os.getpid()}); make a LocalBackend here, after the fork"
            + (", or use a file" if self.path is None else "")
        )


class _Transaction(AbstractContextManager[None]):
    """A class rather than a generator: a run takes several of these."""

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
            if _is_held(database.lock):  # a Ctrl-C may come before or after it is acquired
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
            database.undo()  # a Ctrl-C may come before anything is done
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
    """Whether this thread holds a reentrant lock, as :class:`threading.Condition` asks."""
    return bool(lock._is_owned())  # noqa: SLF001


def _prepare(db: sqlite3.Connection, shown: object) -> None:
    db.execute(
        "PRAGMA page_size = 1024"
    )  # of a new file: a commit writes whole pages, and a run changes little
    _use_log(db)
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


def _use_log(db: sqlite3.Connection) -> None:
    """Puts a file into WAL mode. While another process does the same, SQLite refuses that without waiting."""
    ends_at = time.monotonic() + _BUSY
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not str(error).startswith("database is locked") or time.monotonic() > ends_at:
                raise
            threading.Event().wait(0.01)
        else:
            return


def _version(db: sqlite3.Connection, shown: object) -> int:
    """The version of a file of ours; 0 where nothing stands in it yet.

    Raises:
        BackendError: It is another program's, or of a later stepsched.
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
    """Looks whose a file is without writing to it, nor beside it.

    Raises:
        BackendError: As :func:`_version`.
    """
    with path.open("rb") as file:
        header = file.read(100)
    version, owner = (int.from_bytes(header[a:b], "big") for a, b in ((60, 64), (68, 72)))
    if header.startswith(b"SQLite format 3") and owner:  # no more is read: other processes may be writing
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
        _refuse_foreign(path, shown)  # another process makes it ours at this moment


def _look_inside(path: Path, header: bytes, shown: object) -> None:
    """The same for a file whose header tells nothing: it is empty, another program's, or no database."""
    log = Path(f"{path}-wal")
    if header.startswith(b"SQLite format 3") and log.exists() and log.stat().st_size:
        # The latest changes stand in the log, as a program that was killed leaves it.
        if path.stat().st_size > int.from_bytes(header[16:18], "big"):
            raise _foreign(shown)
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            shutil.copy(path, copy)
            shutil.copy(log, f"{copy}-wal")
            _look(copy, "mode=ro", shown)
        return
    # A file in WAL mode without a log is read as it stands: opened otherwise, it would get one.
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
    detail = f"{shown} has schema {version}; this stepsched knows {VERSION}: install a newer one"
    return BackendError("sqlite", "open", ErrorCode.VERSION, detail=detail)


# -- the process ---------------------------------------------------------------------------------------

_ALL: WeakSet[Database] = WeakSet()
_LEFT: list[sqlite3.Connection | None] = []
"""Connections that belong to a parent process, kept so that nothing closes them."""
_held: list[Database] = []
"""Databases whose lock the thread that forks holds."""
_forking = threading.RLock()
"""Held by the one thread that forks, from before all other locks."""
_opening = threading.RLock()
"""Held while a connection is opened, after the lock of its database."""


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


def _close_all() -> None:
    """At the end of the interpreter: afterwards no thread is inside SQLite, nor comes there again."""
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

# What the caller may do about an error, by the beginning of SQLite's text for it: Python 3.10 does not
# carry the code (https://www.sqlite.org/rescode.html).
_ERRORS: tuple[tuple[str, type[BackendError], str, str], ...] = (
    ("database is locked", BackendUnavailableError, ErrorCode.BUSY, "another process holds the file"),
    (
        "database table is locked",
        BackendUnavailableError,
        ErrorCode.LOCKED,
        "another connection holds the table",
    ),
    (
        "database or disk is full",
        BackendUnavailableError,
        ErrorCode.FULL,
        "the disk is full; what is recorded stays",
    ),
    ("disk I/O error", BackendUnavailableError, ErrorCode.IOERR, "the disk refuses; what is recorded stays"),
    ("attempt to write a readonly", AccessDeniedError, ErrorCode.READONLY, "the file cannot be written"),
    (
        "unable to open database",
        AccessDeniedError,
        ErrorCode.CANTOPEN,
        "it cannot be opened; does its folder exist?",
    ),
    ("access permission denied", AccessDeniedError, ErrorCode.PERM, "the file may not be opened"),
    ("authorization denied", AccessDeniedError, ErrorCode.AUTH, "the file may not be opened"),
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
        "the file is no SQLite database; choose another",
    ),
)


def _ours(error: sqlite3.Error | UnicodeDecodeError, operation: str, path: object) -> BackendError:
    """An error of SQLite as our callers are told it."""
    text = str(error)
    where = "" if path is None else f"{path}: "
    if isinstance(error, UnicodeDecodeError):  # how sqlite3 answers text that is none
        detail = f"{where}the file is damaged; restore a copy ({text})"
        return BackendError("sqlite", operation, ErrorCode.CORRUPT, detail=detail)
    for beginning, kind, code, advice in _ERRORS:
        if text.startswith(beginning):
            again = kind is BackendUnavailableError
            return kind("sqlite", operation, code, retryable=again, detail=f"{where}{advice} ({text})")
    return BackendError("sqlite", operation, type(error).__name__, detail=f"{where}{text}")


@contextmanager
def _mapped(operation: str, path: object) -> Iterator[None]:
    """Turns SQLite's errors into ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _ours(error, operation, path) from error
