"""Whoever ends a backend from inside its own calls waits for none of those, and nobody else hangs."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.waking import Latch
from tests.unit.local.test_engine import NEVER, PATIENCE, Blocked, job
from tests.unit.local.test_user_code import QUEUE, TOPIC

VERBS = pytest.mark.parametrize("verb", ["stop", "close"])


class Ending:
    """A backend that is ended in one of its own calls."""

    def __init__(self, path: Path, verb: str) -> None:
        self.path = path
        self.ended = threading.Event()
        self.events = list[str]()
        self.backend = ss.LocalBackend(
            path, handlers={ss.QueueTarget: lambda *_: self.end(), ss.TopicTarget: lambda *_: self.end()}
        )
        self.backend.listen(lambda event: self.events.append(event.kind.value))
        self.client = ss.SchedulerClient(self.backend)
        self._verb = verb

    def end(self) -> None:
        getattr(self.backend, self._verb)()
        self.ended.set()

    async def end_on_a_loop(self) -> None:
        self.end()

    def run(self, wanted: ss.Job) -> None:
        """Runs the job, waits until it has ended the backend, and ends the backend once more."""
        self.client.create(wanted)
        self.client.run_now(wanted.name)
        self.backend.start()
        assert self.ended.wait(PATIENCE), "it waits for itself"
        other = threading.Thread(target=self.backend.close, daemon=True)
        other.start()
        other.join(PATIENCE)
        assert not other.is_alive(), "another one waits for ever"

    def recorded(self) -> ss.Run:
        """Returns the run as the file shows it after the end of the call."""
        with sqlite3.connect(self.path, timeout=PATIENCE) as file:
            for _ in range(1000):
                if not file.execute("SELECT 1 FROM workers").fetchall():
                    break
                threading.Event().wait(0.01)
            else:
                raise AssertionError("the lease was not ended")
        file.close()
        reader = ss.LocalBackend(self.path)
        (run,) = ss.SchedulerClient(reader).runs()
        reader.close()
        return run


@pytest.fixture(params=["stop", "close"])
def ending(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ending]:
    ending = Ending(tmp_path / "jobs.db", request.param)
    yield ending
    ending.backend.close(timeout=0)


@pytest.mark.parametrize(
    "letters",
    [{"dead_letter": QUEUE}, {"notify": TOPIC}, {"dead_letter": QUEUE, "notify": TOPIC}],
    ids=["dead letter", "notification", "both at once"],
)
def test_a_letter_does_not_wait_for_itself_and_is_delivered_once(
    ending: Ending, letters: dict[str, object]
) -> None:
    ending.backend.register(ss.LambdaTarget, lambda: 1 / 0)
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:failing")
    ending.run(job(print, schedule=NEVER).replace(target=target, **letters))
    assert ending.recorded().status is ss.RunStatus.FAILED
    with sqlite3.connect(ending.path) as file:
        assert file.execute("SELECT undelivered FROM runs").fetchall() == [(0,)]
    file.close()


def test_a_part_does_not_wait_for_its_run(ending: Ending) -> None:
    target = ss.ParallelTarget([ss.HandlerTarget(ending.end), ss.HandlerTarget(lambda: "other")])
    ending.run(ss.Job(name="job", schedule=NEVER, target=_registered(ending, target)))
    assert ending.recorded().status is ss.RunStatus.SUCCEEDED


def _registered(ending: Ending, target: ss.ParallelTarget) -> ss.ParallelTarget:
    """The same with AWS targets, which may be stored in a file."""
    arns = [f"arn:aws:lambda:eu-west-1:123456789012:function:part-{n}" for n in range(len(target.targets))]
    for arn, part in zip(arns, target.targets, strict=True):
        assert isinstance(part, ss.HandlerTarget)
        assert part.function is not None
        ending.backend.register(ss.LambdaTarget(arn), part.function)
    return ss.ParallelTarget([ss.LambdaTarget(arn) for arn in arns])


def test_a_coroutine_does_not_block_its_loop_and_is_not_handed_back(ending: Ending) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:coroutine"
    ending.backend.register(ss.LambdaTarget, ending.end_on_a_loop)
    began = time.monotonic()
    ending.run(ss.Job(name="job", schedule=NEVER, target=ss.LambdaTarget(arn)))
    assert time.monotonic() - began < 4, "it waited as long as it may block the loop"
    run = ending.recorded()
    assert (run.status, run.restarted) == (ss.RunStatus.SUCCEEDED, False)
    assert "restarted" not in ending.events


def test_a_coroutine_on_the_loop_of_the_application_may_close_its_client() -> None:
    async def main() -> ss.Run:
        closed = asyncio.Event()
        backend = ss.LocalBackend()
        async with ss.AsyncSchedulerClient(backend) as client:
            ended = list[ss.jobs.Event]()
            backend.listen(ended.append, ["succeeded", "restarted"])

            async def handler() -> None:
                await client.close()
                closed.set()

            await client.create(job(handler, schedule=NEVER))
            await client.run_now("job")
            await asyncio.wait_for(closed.wait(), PATIENCE)
            while not ended:
                await asyncio.sleep(0.01)
        (event,) = ended
        assert event.run is not None
        return event.run

    assert asyncio.run(main()).status is ss.RunStatus.SUCCEEDED


def test_a_listener_that_closes_waits_for_the_runs_whose_outcomes_are_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ending, blocked = Ending(tmp_path / "jobs.db", "close"), Blocked()
    ending.backend.register(ss.LambdaTarget, blocked)
    ending.backend.listen(lambda _event: ending.end(), ["started"])
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:blocked"
    ending.client.create(ss.Job(name="job", schedule=NEVER, target=ss.LambdaTarget(arn)))
    ending.client.run_now("job")
    ending.backend.start()
    assert blocked.entered.wait(PATIENCE)
    assert not ending.ended.wait(0.1)
    blocked.release.set()
    assert ending.ended.wait(PATIENCE)
    assert ending.recorded().status is ss.RunStatus.SUCCEEDED
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def test_two_letters_that_end_the_backend_leave_the_others_to_the_next_worker(tmp_path: Path) -> None:
    both, delivered = threading.Barrier(2), list[str]()
    ended = threading.Semaphore(0)

    def deliver(_target: object, _payload: object, run: ss.Run) -> None:
        delivered.append(run.job)
        if len(delivered) <= 2:
            both.wait(PATIENCE)
            backend.stop()
            ended.release()

    backend = ss.LocalBackend(handlers={ss.QueueTarget: deliver})
    client = ss.SchedulerClient(backend)
    for number in range(5):
        client.create(job(lambda: 1 / 0, f"job-{number}", schedule=NEVER, dead_letter=QUEUE))
        client.run_now(f"job-{number}")
    backend.start()
    for _ in range(2):
        assert ended.acquire(timeout=PATIENCE)
    backend.start()
    for _ in range(1000):
        if len(delivered) == 5:
            break
        threading.Event().wait(0.01)
    backend.stop()
    assert sorted(delivered) == [f"job-{number}" for number in range(5)]
    backend.close()


@VERBS
@pytest.mark.parametrize("timeout", [None, 0, 0.1])
@pytest.mark.parametrize("stored", [True, False], ids=["file", "memory"])
def test_in_the_middle_of_a_verb_as_by_a_signal_handler_it_does_not_wait_for_the_end_of_the_verb(
    verb: str, timeout: float | None, stored: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db" if stored else None)
    backend.start()
    blocked = Blocked()
    backend.register(ss.LambdaTarget, blocked)
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:blocked"
    client = ss.SchedulerClient(backend)
    client.create(ss.Job(name="job", schedule=NEVER, target=ss.LambdaTarget(arn)))
    client.run_now("job")
    assert blocked.entered.wait(PATIENCE)

    def interrupted() -> None:
        with backend._store.transaction("a verb"):
            getattr(backend, verb)(timeout=timeout)
            backend._store.jobs(ss.backends.base.JobQuery())  # the verb goes on

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert "in the middle of a verb" in caplog.text
    blocked.release.set()
    _await(lambda: not backend._engine.is_firing)
    if verb == "close":
        _await(lambda: backend._store.is_closed)
    backend.close()


def test_a_timeout_holds_although_another_process_has_locked_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepsched.backends.local.engine._HANDING_BACK", 0.5)
    path = tmp_path / "jobs.db"
    backend = ss.LocalBackend(path)
    backend.start()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    backend.stop(timeout=timedelta(seconds=0.1))
    assert time.monotonic() - began < 4
    other.execute("ROLLBACK")
    other.close()
    backend.close()
    assert not backend._engine.is_firing


def test_close_closes_although_a_run_that_goes_on_cannot_be_handed_back(tmp_path: Path) -> None:
    path, blocked = tmp_path / "jobs.db", Blocked()
    backend = ss.LocalBackend(path, handlers={ss.LambdaTarget: blocked})
    client = ss.SchedulerClient(backend)
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:blocked"
    client.create(ss.Job(name="job", schedule=NEVER, target=ss.LambdaTarget(arn)))
    client.run_now("job")
    backend.start()
    assert blocked.entered.wait(PATIENCE)
    path.unlink()
    backend.close(timeout=0)
    assert backend._store.is_closed
    blocked.release.set()


def _await(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen in time")


def test_a_latch_wakes_all_that_wait() -> None:
    latch, woken = Latch(), threading.Semaphore(0)

    def wait() -> None:
        assert latch.wait(PATIENCE)
        woken.release()

    for _ in range(3):
        threading.Thread(target=wait, daemon=True).start()
    assert not latch.wait(0)
    latch.set()
    for _ in range(3):
        assert woken.acquire(timeout=PATIENCE)
    assert latch.wait(0)
