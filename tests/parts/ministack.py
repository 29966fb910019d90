"""The emulator ministack as a part for tests: a server of its own on loopback, with a clock to move."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, final

import boto3
import pytest
from botocore.config import Config

from stepsched.core.clock import utc_now
from tests.gate import MINISTACK
from tests.parts.environments import PartFailedError, PartMissingError, python_of

REGION = "eu-west-1"
HOST = "127.0.0.1"
PATIENCE = 60
"""Seconds that anything may take before it is a failure."""
STARTS = 3
"""Tries, as another process may take the free port before the server does."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

PYTHON = python_of("ministack")
LAUNCHER = Path(__file__).with_name("ministack_launcher.py")


@final
class Ministack:
    """A running server. Entering starts it, leaving stops it; it also ends with the process that started it.

    Only Scheduler's clock can be moved: all other services keep to the machine's, except that waits and
    retry delays of Step Functions take no time, or what `scale_waits` says. From `hold_waits` on, Scheduler
    and Step Functions have one clock that stands still. Function code runs as a subprocess with the rights
    of the user and with the packages of the emulator's environment, so only code of our own may go in.

    Raises `PartMissingError` if its environment is missing.
    """

    def __init__(self) -> None:
        if not PYTHON.exists():
            raise PartMissingError("ministack", MINISTACK)
        self._accounts = itertools.count(1)
        self._session: Any = boto3.session.Session()  # its overloads know no service by a variable
        self._offset = timedelta()
        self._held: datetime | None = None
        self._asking = threading.Lock()
        self._numbers = itertools.count()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._files: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Ministack:
        self._files = tempfile.TemporaryDirectory(prefix="ministack-")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends this server and removes its files; again, it does nothing."""
        if self._process is not None:
            self._process.terminate()
            self._reap(self._process)
            self._process = None
        self._held = None
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def new_account(self) -> str:
        """An account number that this server has not seen: nothing in it, and seen by no other account."""
        return f"{next(self._accounts):012d}"

    def client(self, service: str, account: str) -> Any:
        """A boto3 client that acts as ``account`` in `REGION`; whoever asked for it closes it."""
        return self._session.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(
                connect_timeout=PATIENCE,
                read_timeout=PATIENCE,
                retries={"total_max_attempts": 1},
                proxies={},  # or it would ask the environment
                inject_host_prefix=False,
            ),
        )

    def now(self) -> datetime:
        """What Scheduler takes for the present, and Step Functions while waits are held."""
        return self._held or utc_now() + self._offset

    def set_time(self, instant: datetime) -> None:
        """Makes ``instant`` the present of Scheduler, from where time runs on at its usual speed.

        While waits are held it is the present of Step Functions too, and time does not run on.

        Before it moves the clock it waits until the server has looked at all schedules that exist, and when
        it returns the server has looked at all of them at the new time: a target that is delivered to at
        once, like a queue, has its message. A call takes about 0.2 s.

        What a test has to keep in mind:

        - One jump fires a schedule once at most, however many of its times it passes. Jump to each of them.
        - The next run after a firing is reckoned from the time of the jump, not from the time that was due.
        - ``cron`` fires for a time after the server first saw the schedule enabled and within its start and
          end. So set the time before creating it, and for one with a start date jump to the start first.
        - ``rate`` counts from the creation, also if there is a start date. The creation is a little later
          than `now` was before the call, so jump a second further than the interval. Enabled late, or
          past its start date, it fires at once if the interval has passed since the creation.
        - Disabled and enabled again, both fire at once for a time that passed meanwhile.
        - Nothing fires after the end date, so a jump must not pass the time and the end at once.
        - A zone is ignored: all times are taken for UTC.
        - When it last fired is kept by the name, also over update and delete: an ``at`` that has fired never
          fires again under its name, unless it was deleted by its action after completion. Use new names.
        - The clock may go back, but what has fired waits until its last firing has passed again.
        - The schedules of all accounts fire, so leave none behind.
        """
        self._await_sweep()
        if self._held is None:
            self._move(instant - utc_now())
        else:
            self.move_time(instant)
        self._await_sweep()

    def reset_time(self) -> None:
        """Makes the machine's time the present of Scheduler again; does not wait for what this may fire.

        Waits are held no longer, as with `release_waits`.
        """
        self.release_waits()
        self._move(timedelta())

    def hold_waits(self, instant: datetime | None = None) -> None:
        """From now on time stands still at ``instant``, or at `now`, for Scheduler and Step Functions.

        It is a time of whole microseconds, but Step Functions writes milliseconds. An execution sleeps in a
        Wait state, in a retry delay, or for a callback until the clock is moved there, and never gets there
        late unless the clock is moved further. A task that runs a machine with ``.sync``, a task that waits
        for a callback, and a machine are timed out by this clock; no other task is.

        An execution that is stopped, timed out, or whose machine is deleted ends at once, and so do those
        that it waits for. Hold waits before starting what shall sleep. All other services, functions among
        them, keep to the machine's time.
        """
        self._hold(instant or self.now())

    def release_waits(self) -> None:
        """Stops all executions, as if by StopExecution; afterwards waits take no time again.

        Time runs on for Scheduler from where it stood. If waits are not held, it does nothing.
        """
        if self._held is not None:
            self._move(self._held - utc_now())
            self._held = None
            self._ask("release")

    def move_time(self, instant: datetime) -> None:
        """Makes ``instant`` the present while waits are held, and wakes the executions whose time has come.

        It takes no time, but does not wait for Scheduler to look at its schedules, as `set_time` does.
        Executions that wake up at different instants start in no order if the clock passes both at once, so
        move to each of them.
        """
        assert self._held is not None, "waits are not held"
        self._hold(instant)

    def settled(self, account: str | None = None) -> list[datetime]:
        """Returns when no execution of the account, or of any, does anything until the clock is moved.

        All executions have ended then, or sleep, or wait for one that sleeps. That goes for all that was
        started before the call, by a client or otherwise, and for all that the last move of the clock woke.

        Returns:
            The instants at which those of the account wake up, in order; one for each branch that sleeps.
            Timeouts are among them, but not those of a wait that ends sooner.

        Raises:
            PartFailedError: Something is still busy after `PATIENCE`.
        """
        return [_instant(at) for at in self._ask("settled", account=account)["at"]]

    def next_wake(self, account: str | None = None) -> datetime | None:
        """The first of what `settled` returns, also after waiting; cheap also if thousands sleep."""
        at = self._ask("next_wake", account=account)["at"]
        return None if at is None else _instant(at)

    def scale_waits(self, factor: float) -> None:
        """Makes waits and retry delays of Step Functions take this part of their time, for all accounts."""
        body = json.dumps({"stepfunctions._SFN_WAIT_SCALE": factor})
        connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE)
        try:
            connection.request("POST", "/_ministack/config", body)
            answer = connection.getresponse().read().decode()
        finally:
            connection.close()
        if "_SFN_WAIT_SCALE" not in answer:
            raise PartFailedError(f"the waits were not scaled: {answer}")

    def log(self) -> str:
        """What the server has written so far."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def listening(self) -> list[tuple[str, int]]:
        """The addresses and ports that the server's process listens on; known on Linux only."""
        links = _links(Path(f"/proc/{self._running.pid}/fd"))
        inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
        found = list[tuple[str, int]]()
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
            lines = table.read_text().splitlines()[1:] if table.exists() else []
            for local, state, inode in ((row[1], row[3], row[9]) for row in map(str.split, lines)):
                if state == "0A" and inode in inodes:
                    found.append(_address(local))
        return found

    def _start(self) -> None:
        for _ in range(STARTS):
            if self._try_to_start():
                return
        raise PartFailedError(f"the server ended at once\n{self.log()}")

    def _try_to_start(self) -> bool:
        """Whether a server runs and answers; False if it ended by itself."""
        with socket.socket() as free:
            free.bind((HOST, 0))
            self._port = free.getsockname()[1]
        self._move(timedelta())
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), "-I", str(LAUNCHER)],  # isolated, or this folder would hide the package
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            if self._listens() and self._answers():
                return True
            if time.monotonic() > deadline:
                raise PartFailedError(f"the server was not ready after {PATIENCE} s\n{self.log()}")
            _pause()
        self._reap(self._process)
        return False

    def _environment(self) -> dict[str, str]:
        """All that the server and the functions in it are told: no credentials, no other server."""
        folder = str(self._folder)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            **dict.fromkeys(("HOME", "TMPDIR", "STATE_DIR", "S3_DATA_DIR", "STEPSCHED_CLOCK"), folder),
            "TZ": "UTC",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self._port),
            "LOG_LEVEL": "WARNING",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "LAMBDA_EXECUTOR": "local",
            "SFN_WAIT_SCALE": "0",
            # Both would listen on all addresses.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It clears up containers at start, which may be somebody's.
            "DOCKER_HOST": f"unix://{folder}/no-docker",
        }

    def _listens(self) -> bool:
        """Whether the port is this server's; raises if it also listens where others can reach it."""
        if sys.platform != "linux":
            return True
        found = self.listening()
        open_to_others = [address for address, _ in found if not ip_address(address).is_loopback]
        if open_to_others:
            raise PartFailedError(f"the server listens on {', '.join(open_to_others)}")
        return (HOST, self._port) in found

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _hold(self, instant: datetime) -> None:
        self._ask("hold", at=(instant - EPOCH) // MICROSECOND)
        self._held = instant.astimezone(timezone.utc)

    def _ask(self, command: str, **more: Any) -> Any:
        with self._asking:
            number = next(self._numbers)
            asked = {"do": command, "number": number, "patience": PATIENCE, **more}
            answer = self._exchange(json.dumps(asked).encode() + b"\n")
            while answer["number"] != number:  # whoever asked that did not wait for the answer
                answer = self._exchange(b"")
        if "error" in answer:
            raise PartFailedError(f"{answer['error']}\n{self.log()}")
        return answer

    def _exchange(self, line: bytes) -> Any:
        asking, answering = self._running.stdin, self._running.stdout
        assert asking is not None
        assert answering is not None
        try:
            asking.write(line)
            asking.flush()
            answer = answering.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise PartFailedError(f"the server has ended\n{self.log()}")
        return json.loads(answer)

    def _move(self, offset: timedelta) -> None:
        draft = self._folder / "offset.draft"
        draft.write_text(repr(offset.total_seconds()))
        draft.replace(self._folder / "offset")  # so that the server never reads half of it
        self._offset = offset

    def _await_sweep(self) -> None:
        """Returns when a sweep that began after the call has ended."""
        goal = self._sweeps() + 2
        deadline = time.monotonic() + PATIENCE
        while self._sweeps() < goal:
            if self._running.poll() is not None or time.monotonic() > deadline:
                raise PartFailedError(f"the server looks at no schedules\n{self.log()}")
            _pause()

    def _sweeps(self) -> int:
        path = self._folder / "sweeps"
        return int(path.read_text()) if path.exists() else 0

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def _folder(self) -> Path:
        assert self._files is not None, "the server is not started"
        return Path(self._files.name)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server is not started"
        return self._process


@contextmanager
def running() -> Iterator[Ministack]:
    """A server for a fixture: skips the tests if its environment is missing, and says how to make it."""
    try:
        server = Ministack()
    except PartMissingError as missing:
        pytest.skip(str(missing))
    with server:
        yield server


@contextmanager
def clients(server: Ministack, account: str) -> Iterator[Callable[[str], Any]]:
    """Gives the client of a service, one per service, for an account; closes all of them in the end."""
    made = dict[str, Any]()

    def client(service: str) -> Any:
        if service not in made:
            made[service] = server.client(service, account)
        return made[service]

    try:
        yield client
    finally:
        for each in made.values():
            each.close()


def delete_schedules(scheduler: Any) -> None:
    """Deletes all schedules of the client's account."""
    while found := scheduler.list_schedules()["Schedules"]:  # the emulator gives the first hundred only
        for schedule in found:
            scheduler.delete_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])


def _instant(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND


def _pause() -> None:
    threading.Event().wait(0.02)


def _links(folder: Path) -> list[str]:
    try:
        return [_link(path) for path in folder.iterdir()]
    except (FileNotFoundError, PermissionError):  # the process has ended
        return []


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except (FileNotFoundError, PermissionError):  # closed meanwhile
        return ""


def _address(local: str) -> tuple[str, int]:
    """Reads ``0100007F:1F90``: words of four bytes in the machine's order, then the port."""
    words, _, port = local.partition(":")
    raw = bytes.fromhex(words)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return str(ip_address(raw)), int(port, 16)
