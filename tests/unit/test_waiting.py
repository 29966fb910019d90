"""``client.wait`` and ``client.close``: what ends, what is closed, and what is said where neither can be."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import RunQuery
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
PATIENCE = 20.0
YEARLY = ss.Cron("0 0 1 1 ? *")


def job(handler: Callable[[], object], name: str = "job", **changes: object) -> ss.Job:
    made = ss.Job(name=name, schedule=YEARLY, target=ss.HandlerTarget(handler))
    return made.replace(retry=ss.Retry(max_attempts=0), **changes)


def quick() -> None:
    """A handler that has nothing to do."""


def wrong(value: object) -> Any:
    """A value of a kind that the signature does not take."""
    return value


@pytest.fixture
def client() -> Iterator[ss.SchedulerClient]:
    with ss.SchedulerClient() as client:
        yield client


class Played(ss.LocalBackend):
    """A backend that says of itself that its time is played."""

    def why_wait_is_endless(self) -> str | None:
        return "time stands still here while you wait; use run_until(...) to play it"


class Idle(ss.LocalBackend):
    """A backend that says of itself that nothing fires."""

    def why_nothing_fires(self) -> str | None:
        return "this backend has not been started"


class Forgetful(ss.LocalBackend):
    """A backend that finds a run only at every second look, as a table may in which it moves."""

    asked = 0

    def run(self, run: ss.Run) -> ss.Run | None:
        self.asked += 1
        return super().run(run) if self.asked % 2 == 0 else None


class Counted(ss.LocalBackend):
    """A backend whose runs end with the look of a certain number."""

    first_pause = 0.001
    looks = 0

    def run(self, run: ss.Run) -> ss.Run | None:
        self.looks += 1
        found = super().run(run)
        return found.replace(status="succeeded") if found is not None and self.looks == 5 else found


class TestWait:
    def test_it_returns_the_run_as_it_is_at_its_end(self, client: ss.SchedulerClient) -> None:
        release = threading.Event()
        client.create(job(lambda: release.wait(PATIENCE)))
        run = client.run_now("job")
        assert run.status is ss.RunStatus.PENDING
        threading.Timer(0.05, release.set).start()
        ended = client.wait(run)
        assert (ended.id, ended.status, ended.output) == (run.id, ss.RunStatus.SUCCEEDED, "true")
        assert client.wait(run, timeout=0) == ended
        assert client.wait(ended) == ended

    def test_a_run_that_failed_has_ended_too(self, client: ss.SchedulerClient) -> None:
        client.create(job(lambda: 1 / 0))
        ended = client.wait(client.run_now("job"), timeout=timedelta(seconds=PATIENCE))
        assert ended.status is ss.RunStatus.FAILED
        assert ended.error is not None
        assert "ZeroDivisionError" in ended.error

    def test_a_run_whose_job_is_cancelled_has_ended(self) -> None:
        backend = ss.LocalBackend()
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        run = client.run_now("job")
        client.cancel("job")
        assert client.wait(run, timeout=0).status is ss.RunStatus.SKIPPED
        backend.close()

    @pytest.mark.parametrize("timeout", [0, 0.02, timedelta(milliseconds=20)], ids=str)
    def test_when_the_time_is_over_it_says_what_goes_on(self, timeout: timedelta | float) -> None:
        backend = ss.LocalBackend()
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        run = client.run_now("job")
        with pytest.raises(TimeoutError) as caught:
            client.wait(run, timeout=timeout)
        error = caught.value
        assert isinstance(error, ss.errors.WaitTimeoutError)
        assert (error.job, error.run, error.status) == ("job", run.id, "pending")
        assert error.timeout == (0.0 if timeout == 0 else 0.02)
        backend.close()

    def test_pauses_grow_from_the_backends_first_to_a_second_and_never_beyond_the_end(self) -> None:
        backend = ss.LocalBackend()
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        run = client.run_now("job")
        looks = client._looks_at(run, None)
        pauses = [next(looks) for _ in range(10)]
        assert pauses == [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
        backend.first_pause = 60
        assert next(client._looks_at(run, 30)) <= 30  # type: ignore[operator]
        backend.close()

    def test_a_backend_far_away_is_not_asked_more_often_than_each_second(self) -> None:
        assert ss.EventBridgeBackend.first_pause == 1.0
        assert ss.StepFunctionsBackend.first_pause == 1.0

    def test_it_looks_until_the_run_has_ended_and_no_longer(self) -> None:
        backend = Counted()
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        assert client.wait(client.run_now("job")).status is ss.RunStatus.SUCCEEDED
        assert backend.looks == 5
        backend.close()

    def test_one_look_that_does_not_find_the_run_is_not_believed(self) -> None:
        backend = Forgetful()
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        with backend:
            assert client.wait(client.run_now("job"), timeout=PATIENCE).status is ss.RunStatus.SUCCEEDED

    def test_a_run_that_is_not_known_is_an_error_that_names_it(self, client: ss.SchedulerClient) -> None:
        client.create(job(quick))
        ended = client.wait(client.run_now("job"))
        for foreign in (ended.replace(id=999), ended.replace(job="other"), ended.replace(scheduled_for=T0)):
            with pytest.raises(ss.errors.RunNotFoundError) as caught:
                client.wait(foreign)
            assert (caught.value.job, caught.value.run) == (foreign.job, foreign.id)

    def test_of_two_runs_for_one_instant_each_is_found(self) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        one, two = client.run_now("job"), client.run_now("job")
        assert one.scheduled_for == two.scheduled_for
        backend.run_until(T0)
        assert [client.wait(run, timeout=0).id for run in (one, two)] == [one.id, two.id]
        backend.close()

    @pytest.mark.parametrize("value", [5, "job", None, ss.Run], ids=repr)
    def test_what_is_no_run_is_a_type_error(self, client: ss.SchedulerClient, value: object) -> None:
        with pytest.raises(TypeError, match=r"expected a Run, such as run_now\(\.\.\.\) gives, got "):
            client.wait(wrong(value))

    def test_a_timeout_that_is_none_is_refused(self, client: ss.SchedulerClient) -> None:
        client.create(job(quick))
        run = client.run_now("job")
        with pytest.raises(TypeError, match="expected timeout in seconds"):
            client.wait(run, timeout=wrong("5"))
        with pytest.raises(ValueError, match="expected timeout of at least 0 seconds"):
            client.wait(run, timeout=-1)

    def test_on_a_clock_that_is_played_it_says_at_once_that_it_would_never_end(self) -> None:
        backend = Played(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        run = client.run_now("job")
        with pytest.raises(ss.UnsupportedError, match=r"'job'.*use run_until\(\.\.\.\)"):
            client.wait(run)
        backend.run_until(T0)
        assert client.wait(run).status is ss.RunStatus.SUCCEEDED  # which it tells all the same
        backend.close()

    def test_where_nothing_fires_a_wait_without_end_warns_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        backend = Idle()
        client = ss.SchedulerClient(backend)
        client.create(job(quick))
        run = client.run_now("job")
        with caplog.at_level(logging.WARNING, "stepsched"):
            with pytest.raises(ss.errors.WaitTimeoutError):
                client.wait(run, timeout=0.02)
            assert caplog.messages == []
            threading.Timer(0.05, backend.start).start()  # as another process might
            client.wait(run)
        assert caplog.messages == [
            f"waiting without timeout for run {run.id} of job job: this backend has not been started"
        ]
        backend.close()


class Noted(ss.LocalBackend):
    """A backend that notes when it is started, stopped and closed."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        self.notes = list[tuple[str, object]]()

    def start(self) -> None:
        self.notes.append(("start", None))

    def stop(self, *, timeout: timedelta | float | None = None) -> None:
        self.notes.append(("stop", timeout))

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        self.notes.append(("close", timeout))
        super().close(timeout=timeout)


class TestClose:
    def test_a_client_closes_the_backend_that_it_made(self) -> None:
        with ss.SchedulerClient() as client:
            client.create(job(quick))
        with pytest.raises(ss.BackendError):
            client.get("job")
        client.close()  # harmless twice

    def test_it_does_so_without_having_started_it(self) -> None:
        client = ss.SchedulerClient()
        client.close(timeout=1)
        with pytest.raises(ss.BackendError):
            client.list()

    def test_a_backend_that_was_handed_in_is_started_and_stopped_and_its_owners_to_close(self) -> None:
        backend = Noted()
        with ss.SchedulerClient(backend) as client:
            assert backend.notes == [("start", None)]
        assert backend.notes == [("start", None), ("stop", None)]
        assert client.list() == []
        backend.close()

    def test_close_stops_only_what_this_client_started(self) -> None:
        backend = Noted()
        client = ss.SchedulerClient(backend)
        client.close()
        assert backend.notes == []
        client.__enter__()
        client.close(timeout=2.5)
        client.close()
        assert backend.notes == [("start", None), ("stop", 2.5)]
        backend.close()

    def test_the_backend_is_closed_although_the_block_fails(self) -> None:
        with pytest.raises(ZeroDivisionError), ss.SchedulerClient() as client:
            raise ZeroDivisionError
        with pytest.raises(ss.BackendError):
            client.list()

    @pytest.mark.parametrize("timeout", ["5", True, -1, float("nan")], ids=repr)
    def test_a_timeout_that_is_none_is_refused_and_nothing_is_closed(self, timeout: object) -> None:
        client = ss.SchedulerClient()
        with pytest.raises((TypeError, ValueError), match="expected timeout"):
            client.close(timeout=wrong(timeout))
        assert client.list() == []
        client.close()

    def test_a_backend_as_context_manager_closes_itself(self) -> None:
        backend = Noted()
        with backend:
            assert backend.notes == [("start", None)]
        assert backend.notes == [("start", None), ("close", None), ("stop", None)]

    def test_the_port_stops_where_a_backend_has_nothing_to_close(self) -> None:
        stopped = list[object]()

        class Plain(ss.LocalBackend):
            def stop(self, *, timeout: timedelta | float | None = None) -> None:
                stopped.append(timeout)

        backend = Plain()
        ss.backends.Backend.close(backend, timeout=3)
        assert stopped == [3]
        with pytest.raises(ValueError, match="expected timeout"):
            ss.backends.Backend.stop(backend, timeout=-1)
        backend.close()


def test_the_ports_own_look_at_a_run_asks_for_its_job_and_instant() -> None:
    asked = list[RunQuery]()

    class Asked(ss.LocalBackend):
        def runs(self, query: RunQuery) -> Iterator[ss.Run]:
            asked.append(query)
            return super().runs(query)

    backend = Asked(clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    client.create(job(quick))
    run = client.run_now("job")
    assert ss.backends.Backend.run(backend, run) == run
    assert asked == [RunQuery(job="job", since=T0, until=T0)]
    assert (backend.why_wait_is_endless() is None) or "run_until" in str(backend.why_wait_is_endless())
    backend.close()
