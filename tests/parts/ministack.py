"""The emulator ministack as a part for tests: a server of its own on loopback, with a clock to move."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, final

import pytest

from stepsched.core.clock import utc_now
from tests.gate import MINISTACK
from tests.parts.batch import Batch
from tests.parts.environments import PartFailedError, PartMissingError, python_of
from tests.parts.server_part import HOST, PATIENCE, REGION, ServerPart, search_path

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

__all__ = [  # names of the server beside those of its own
    "HOST",
    "PATIENCE",
    "REGION",
    "Ministack",
    "clients",
    "delete_schedules",
    "running",
]

PYTHON = python_of("ministack")
LAUNCHER = Path(__file__).with_name("ministack_launcher.py")


@final
class Ministack(ServerPart):
    """A running server. Entering starts it, leaving stops it; it also ends with the process that started it.

    Only Scheduler's clock can be moved: all other services keep to the machine's, except that waits and
    retry delays of Step Functions take no time, or what `scale_waits` says. From `hold_waits` on, Scheduler
    and Step Functions have one clock that stands still. Function code runs as a subprocess with the rights
    of the user and with the packages of the emulator's environment, so only code of our own may go in.

    Raises `PartMissingError` if its environment is missing.
    """

    prefix = "ministack-"

    def __init__(self, batch: Batch | None = None) -> None:
        if not PYTHON.exists():
            raise PartMissingError("ministack", MINISTACK)
        super().__init__()
        self._batch = batch
        self._offset = timedelta()
        self._held: datetime | None = None

    def stop(self) -> None:
        super().stop()
        self._held = None

    def now(self) -> datetime:
        """What Scheduler takes for the present, and Step Functions while waits are held."""
        return self._held or utc_now() + self._offset

    def set_time(self, instant: datetime) -> None:
        """Makes ``instant`` the present of Scheduler, from where time runs on at its usual speed.

        While waits are held it is the present of Step Functions too, and time does not run on.

        Before it moves the clock it waits until the server has looked at all schedules that exist, and when
        it returns the server has looked at all of them at the new time: a target that is delivered to at
        once, like a queue, has its message.

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
        self._ask("sweep")
        if self._held is None:
            self._move(instant - utc_now())
        else:
            self.move_time(instant)
        self._ask("sweep")

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

    def _try_to_start(self) -> bool:
        self._move(timedelta())
        return super()._try_to_start()

    def _command(self) -> list[str]:
        return [str(PYTHON), "-I", str(LAUNCHER)]  # isolated, or this folder would hide the package

    def _environment(self) -> dict[str, str]:
        """All that the server and the functions in it are told: no credentials, no other server."""
        folder = str(self._folder)
        return {
            "PATH": search_path(),
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
            **({} if self._batch is None else {"STEPSCHED_BATCH": self._batch.endpoint_url}),
        }

    def _answers(self) -> bool:
        return self._status_of("/_ministack/health") == http.HTTPStatus.OK

    def _hold(self, instant: datetime) -> None:
        self._ask("hold", at=(instant - EPOCH) // MICROSECOND)
        self._held = instant.astimezone(timezone.utc)

    def _move(self, offset: timedelta) -> None:
        draft = self._folder / "offset.draft"
        draft.write_text(repr(offset.total_seconds()))
        draft.replace(self._folder / "offset")  # so that the server never reads half of it
        self._offset = offset


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
