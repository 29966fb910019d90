"""Several targets in one run: side by side or in order, and only what has not succeeded yet."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local import parts
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.parts import Parts, PartsFailedError
from stepsched.testing import FakeClock, Recorder, TimeTravel

PATIENCE = 10
T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
RUN = ss.Run(id=7, job="job", scheduled_for=T0, status=ss.RunStatus.RUNNING, attempt=1)
SECOND_TRY = RUN.replace(attempt=2)
LAMBDA = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:inbox")


def job(*targets: ss.Target | Callable[..., object], **changes: object) -> ss.Job:
    listed = [ss.HandlerTarget(each) if callable(each) else each for each in targets]
    return ss.Job(
        name="job",
        schedule=ss.Rate(HOUR, start=T0),
        target=ss.ParallelTarget(listed),
        input={"n": 1},
        retry=ss.Retry(max_attempts=0),
    ).replace(**changes)


def boom() -> None:
    raise RuntimeError("no luck")


class TestSideBySide:
    def test_every_part_has_a_thread_of_its_own(self) -> None:
        barrier, threads = threading.Barrier(3), list[int]()

        def part() -> int:
            barrier.wait(PATIENCE)  # passes only where all three are there
            threads.append(threading.get_ident())
            return 1

        assert Invoker({}).call(job(part, part, part), RUN) == "[1, 1, 1]"
        assert len({*threads, threading.get_ident()}) == 4

    def test_all_are_awaited_though_one_has_failed(self) -> None:
        failed, late = threading.Event(), list[str]()

        def fails() -> None:
            failed.set()
            raise SystemExit(3)

        def works() -> None:
            assert failed.wait(PATIENCE)
            late.append("done")

        with pytest.raises(PartsFailedError, match=r"^1 of 2 parts failed: part 1 \(.*\): SystemExit: 3$"):
            Invoker({}).call(job(fails, works), RUN)
        assert late == ["done"]

    def test_max_run_time_holds_for_each_part(self) -> None:
        """The function that hangs is no longer awaited, the command is killed, the quick one succeeds."""
        entered, release, quick = threading.Event(), threading.Event(), list[int]()

        def hangs() -> None:
            entered.set()
            release.wait(PATIENCE)

        sleeps = ss.CommandTarget([sys.executable, "-c", "import threading; threading.Event().wait(60)"])
        invoker, three = Invoker({}), job(lambda: quick.append(1), hangs, sleeps, max_run_time=SECOND)
        with pytest.raises(PartsFailedError) as caught:
            invoker.call(three, RUN)
        text = str(caught.value)
        assert text.startswith("2 of 3 parts failed: part 2 (HandlerTarget ")
        assert "; part 3 (CommandTarget " in text
        assert text.count("TimeoutError: it took longer than max_run_time, 0:00:01") == 2
        assert entered.is_set()
        assert not release.is_set()
        release.set()
        assert quick == [1]

    def test_a_run_with_a_part_that_hangs_ends_in_the_background(self) -> None:
        release, ended = threading.Event(), threading.Event()
        with ss.LocalBackend(workers=1) as backend:
            client = ss.SchedulerClient(backend)
            backend.listen(lambda _event: ended.set(), ["failed"])
            hangs = job(lambda: "ok", lambda: release.wait(PATIENCE), max_run_time=SECOND)
            client.create(hangs.replace(schedule=ss.Cron("0 0 1 1 ? *")))
            client.run_now("job")
            assert ended.wait(PATIENCE)
            (run,) = client.runs("job")
            assert run.error is not None
            assert run.error.startswith("PartsFailedError: 1 of 2 parts failed: part 2 ")
            release.set()


class TestPlayed:
    def test_parts_are_called_in_order_in_the_callers_thread(self, time_travel: TimeTravel) -> None:
        order = list[tuple[int, int]]()

        def part(number: int) -> Callable[[], object]:
            return lambda: order.append((number, threading.get_ident()))

        time_travel.client.create(job(part(1), part(2), part(3), schedule=ss.Rate(HOUR)))
        time_travel.advance(timedelta(0))
        assert order == [(number, threading.get_ident()) for number in (1, 2, 3)]

    @pytest.mark.parametrize(
        ("took", "failed"),
        [pytest.param(SECOND, False, id="exactly"), pytest.param(1.5 * SECOND, True, id="longer")],
    )
    def test_max_run_time_holds_for_each_part(
        self, time_travel: TimeTravel, took: timedelta, *, failed: bool
    ) -> None:
        """Together they take longer, which is no failure."""

        def slow() -> str:
            time_travel.clock.advance(SECOND)
            return "slow"

        def slower() -> None:
            time_travel.clock.advance(took)

        wanted = job(slow, slower, slow, schedule=ss.Rate(HOUR), max_run_time=SECOND)
        time_travel.client.create(wanted)
        time_travel.advance(timedelta(0))
        (run,) = time_travel.client.runs("job")
        assert (run.status is ss.RunStatus.FAILED) is failed
        assert ("part 2" in (run.error or "")) is failed
        assert "part 1" not in (run.error or "")

    def test_what_has_succeeded_before_an_interruption_is_not_called_again(self) -> None:
        calls = list[str]()
        clock = FakeClock(T0)
        backend = ss.LocalBackend(clock=clock)

        def interrupted() -> None:
            calls.append("interrupted")
            if calls.count("interrupted") == 1:
                raise KeyboardInterrupt

        ss.SchedulerClient(backend).create(job(lambda: calls.append("first"), interrupted))
        with pytest.raises(KeyboardInterrupt):
            backend.run_until(T0 + HOUR)
        backend.run_until(T0 + HOUR)
        assert calls == ["first", "interrupted", "interrupted"]
        backend.close()

    def test_a_recorder_stands_for_every_part(self, time_travel: TimeTravel) -> None:
        recorder = Recorder(answer=lambda call: call.job)
        time_travel.client.create(job(LAMBDA, recorder, QUEUE, schedule=ss.Rate(HOUR)))
        time_travel.advance(timedelta(0))
        assert [call.target for call in time_travel.recorder.calls] == [LAMBDA, QUEUE]
        assert [call.target for call in recorder.calls] == [None]
        (run,) = time_travel.client.runs("job")
        assert run.output == '[null, "job", null]'


class TestRemembered:
    """By the places of the parts that are called."""

    @pytest.fixture(params=["threads", "played"])
    def memory(self, request: pytest.FixtureRequest) -> Parts:
        return Parts(FakeClock(T0) if request.param == "played" else None)

    def called(
        self, memory: Parts, target: ss.ParallelTarget, run: ss.Run, *, fail: bool = True
    ) -> list[str]:
        """Calls the parts; the commands called ``bad`` fail."""
        names = list[str]()

        def call(_place: int, part: ss.Target) -> None:
            assert isinstance(part, ss.CommandTarget)
            names.append(part.command[0])
            if fail and part.command[0] == "bad":
                raise RuntimeError

        if fail:
            with pytest.raises(PartsFailedError):
                memory.call(target, run, None, call)
        else:
            memory.call(target, run, None, call)
        return sorted(names)

    TARGET = ss.ParallelTarget([ss.CommandTarget([name]) for name in ("a", "bad", "c")])

    def test_another_attempt_calls_what_has_not_succeeded(self, memory: Parts) -> None:
        assert self.called(memory, self.TARGET, RUN) == ["a", "bad", "c"]
        assert self.called(memory, self.TARGET, SECOND_TRY) == ["bad"]
        assert self.called(memory, self.TARGET, RUN.replace(attempt=3), fail=False) == ["bad"]

    def test_another_run_calls_all(self, memory: Parts) -> None:
        self.called(memory, self.TARGET, RUN)
        assert self.called(memory, self.TARGET, SECOND_TRY.replace(id=8)) == ["a", "bad", "c"]

    def test_a_first_attempt_calls_all(self, memory: Parts) -> None:
        self.called(memory, self.TARGET, RUN)
        assert self.called(memory, self.TARGET, RUN) == ["a", "bad", "c"]

    def test_other_parts_are_all_called(self, memory: Parts) -> None:
        self.called(memory, self.TARGET, RUN)
        changed = ss.ParallelTarget(self.TARGET.targets[::-1])
        assert self.called(memory, changed, SECOND_TRY) == ["a", "bad", "c"]

    def test_what_is_forgotten_is_called_again(self, memory: Parts) -> None:
        self.called(memory, self.TARGET, RUN)
        memory.forget(RUN)
        assert self.called(memory, self.TARGET, SECOND_TRY) == ["a", "bad", "c"]

    def test_the_oldest_goes_when_there_are_too_many(
        self, memory: Parts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parts, "REMEMBERED", 2)
        for number in (1, 2, 3):
            self.called(memory, self.TARGET, RUN.replace(id=number))
        assert self.called(memory, self.TARGET, SECOND_TRY.replace(id=1)) == ["a", "bad", "c"]
        assert self.called(memory, self.TARGET, SECOND_TRY.replace(id=3)) == ["bad"]

    def test_nothing_is_kept_of_runs_that_have_ended(self, time_travel: TimeTravel) -> None:
        time_travel.client.create(job(LAMBDA, boom, schedule=ss.Rate(HOUR)))
        time_travel.client.create(job(LAMBDA, QUEUE, schedule=ss.Rate(HOUR), name="good"))
        time_travel.advance(HOUR)
        assert len(time_travel.client.runs()) == 4
        assert time_travel.backend._invoker._parts._done == {}


class TestAnswer:
    def answer(self, *functions: Callable[..., object]) -> str | None:
        return Invoker({}, clock=FakeClock(T0)).call(job(*functions), RUN)

    def test_is_none_where_no_part_gives_any(self) -> None:
        assert self.answer(lambda: None, lambda: None) is None

    def test_keeps_text_that_is_no_json(self) -> None:
        program = "print('not json')"
        both = job(ss.CommandTarget([sys.executable, "-c", program]), lambda: {"a": [1]})
        assert Invoker({}).call(both, RUN) == '["not json\\n", {"a": [1]}]'

    def test_is_bounded(self) -> None:
        answer = self.answer(lambda: "x" * 5_000, lambda: "y" * 5_000)
        assert answer is not None
        assert len(answer) == 4_096


class TestFailure:
    def test_names_every_part_that_failed_however_much_they_say(self) -> None:
        def wordy() -> None:
            raise RuntimeError("x" * 10_000)

        invoker = Invoker({ss.LambdaTarget: wordy, ss.ApiTarget: wordy}, clock=FakeClock(T0))
        targets: list[ss.Target] = [
            LAMBDA,
            ss.ApiTarget("ecs", "runTask", {"secret": "s"}),
            ss.CommandTarget(["nowhere-to-be"]),
        ]
        with pytest.raises(PartsFailedError) as caught:
            invoker.call(job(*targets, wordy), RUN)
        text = str(caught.value)
        assert len(text) < 4_000
        assert f"part 1 (LambdaTarget {LAMBDA.function_arn}): RuntimeError: xx" in text
        assert "part 2 (ApiTarget ecs:runTask): RuntimeError" in text
        assert "secret" not in text
        assert "part 3 (CommandTarget nowhere-to-be): FileNotFoundError" in text
        assert "part 4 (HandlerTarget " in text
        assert str(caught.value.__cause__) == "x" * 10_000


class TestChecked:
    def refusal(self, job: ss.Job, *, shared: bool = False) -> str:
        with pytest.raises(ss.UnsupportedError) as caught:
            Invoker({ss.LambdaTarget: lambda: None}).check(job, shared=shared)
        return caught.value.reason

    def test_every_part_is_looked_at(self) -> None:
        assert "QueueTarget" in self.refusal(job(LAMBDA, QUEUE))
        assert "cannot be imported" in self.refusal(job(LAMBDA, ss.HandlerTarget("nowhere:f")))
        assert "no importable name" in self.refusal(job(LAMBDA, lambda: None), shared=True)
        Invoker({ss.LambdaTarget: lambda: None}).check(job(LAMBDA, lambda: None), shared=False)

    def test_the_topic_to_notify_must_be_registered(self) -> None:
        topic = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms")
        told = job(LAMBDA, LAMBDA, notify=topic)
        assert "TopicTarget" in self.refusal(told)
        Invoker({ss.LambdaTarget: lambda: None, topic: lambda: None}).check(told, shared=True)


@pytest.fixture
def backend() -> Iterator[ss.LocalBackend]:
    backend = ss.LocalBackend(clock=FakeClock(T0), handlers={ss.ApiTarget: lambda target: target.request})
    yield backend
    backend.close()


def test_functions_without_a_name_live_as_parts_and_what_is_handed_out_is_a_copy(
    backend: ss.LocalBackend,
) -> None:
    client = ss.SchedulerClient(backend)
    client.create(job(lambda: 1, ss.ApiTarget("ecs", "runTask", {"deep": []})))
    target = client.get("job").job.target
    assert isinstance(target, ss.ParallelTarget)
    call = target.targets[1]
    assert isinstance(call, ss.ApiTarget)
    call.request["deep"] = "changed"
    backend.run_until(T0 + HOUR)
    (run,) = client.runs("job")
    assert run.output == '[1, {"deep": []}]'


def test_after_a_crash_all_parts_are_called_again(tmp_path: Path) -> None:
    """Another object on the same file is another process, as far as its memory goes."""
    heard = list[str]()

    def fails() -> None:
        heard.append("queue")
        raise RuntimeError

    for number in (1, 2):
        backend = ss.LocalBackend(
            tmp_path / "jobs.db",
            clock=FakeClock(T0 + number * HOUR),
            handlers={ss.LambdaTarget: lambda: heard.append("lambda"), ss.QueueTarget: fails},
        )
        retry = ss.Retry(max_attempts=1, interval=HOUR, max_age=3 * HOUR)
        client = ss.SchedulerClient(backend)
        if number == 1:
            client.create(job(LAMBDA, QUEUE, schedule=ss.OneTime(T0 + HOUR + SECOND), retry=retry))
        backend.run_until(T0 + number * HOUR + 2 * SECOND)
        backend.close()
    assert heard == ["lambda", "queue"] * 2
