"""What users test their schedules with."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock, Recorder, TimeTravel

START = datetime(2030, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
FUNCTION = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")


def job(**changes: object) -> ss.Job:
    daily = ss.Cron("0 9 * * ? *")
    return ss.Job(name="job", schedule=daily, target=FUNCTION, input={"n": 1}).replace(**changes)


def test_jobs_run_as_written_whatever_they_invoke(time_travel: TimeTravel) -> None:
    assert time_travel.clock.now() == START
    for number, target in enumerate([FUNCTION, QUEUE, ss.ApiTarget("ecs", "runTask", {"cluster": "c"})]):
        time_travel.client.create(job(name=f"job-{number}", target=target))
    assert time_travel.advance(2 * DAY) == 6
    assert [call.target for call in time_travel.recorder.calls[:3]][:2] == [FUNCTION, QUEUE]
    assert time_travel.recorder.of("job-1") == [START + timedelta(hours=9), START + DAY + timedelta(hours=9)]
    assert {call.input["n"] for call in time_travel.recorder.calls if isinstance(call.input, dict)} == {1}


def test_time_goes_where_it_is_told(time_travel: TimeTravel) -> None:
    time_travel.run_until(START + DAY)
    assert time_travel.clock.now() == START + DAY
    with pytest.raises(ValueError, match="expected until at or after"):
        time_travel.run_until(START)


def test_a_recorder_is_a_handler_too() -> None:
    recorder = Recorder(answer=lambda call: call.run.attempt, failures=1)
    with TimeTravel() as travel:
        travel.client.create(job(target=ss.HandlerTarget(recorder)))
        travel.advance(DAY)
        (run,) = travel.client.runs("job")
    assert (run.status, run.attempt, run.output) == (ss.RunStatus.SUCCEEDED, 2, "2")
    assert [call.target for call in recorder.calls] == [None, None]


def test_two_worlds_know_nothing_of_each_other() -> None:
    with TimeTravel() as one, TimeTravel(START + DAY) as other:
        one.client.create(job())
        assert other.client.list() == []
        assert other.clock.now() == START + DAY


def test_the_fake_clock_is_read_through_the_package() -> None:
    assert ss.testing.FakeClock is FakeClock


def test_the_fixture_comes_with_the_installed_package(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(time_travel):
            assert time_travel.client.list() == []
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=1)


def test_a_broken_backend_does_not_keep_the_contract(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        import stepsched as ss
        from stepsched.testing.contract import *

        class Forgetful(ss.LocalBackend):
            def pause(self, name):
                return self.get(name)

        @pytest.fixture
        def backend(clock):
            backend = Forgetful(clock=clock)
            yield backend
            backend.close()
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-k", "paused or pause")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def broken() -> None:
    raise LookupError("no such report")


@pytest.mark.parametrize("seen", [[], ["tolerant"]])
def test_a_strict_travel_fails_with_its_runs(seen: list[str]) -> None:
    travel = TimeTravel("2030-01-01T02:00+02:00", strict=not seen)
    assert travel.now == START
    failing = job(target=ss.HandlerTarget(broken), retry=ss.Retry(max_attempts=0))
    with ExitStack() as stack:
        if not seen:
            stack.enter_context(pytest.raises(AssertionError, match="7 runs have failed for good:"))
        with travel:
            travel.client.create(failing)
            travel.advance(7 * DAY)


def test_the_failed_runs_are_listed_with_a_traceback() -> None:
    with TimeTravel() as travel:
        travel.assert_no_failures()
        travel.client.create(job(target=ss.HandlerTarget(broken), retry=ss.Retry(max_attempts=0)))
        travel.advance(DAY)
        with pytest.raises(AssertionError) as caught:
            travel.assert_no_failures()
        travel.advance(7 * DAY)
        with pytest.raises(AssertionError, match="and 3 more"):
            travel.assert_no_failures()
    first, second, *trace = str(caught.value).splitlines()
    assert first == "1 run has failed for good:"
    assert second == "job, 2030-01-01T09:00:00+00:00: LookupError: no such report"
    assert trace[0].startswith("Traceback")


def test_the_error_of_a_strict_test_is_its_own() -> None:
    def play() -> None:
        with TimeTravel(strict=True) as travel:
            travel.client.create(job(target=ss.HandlerTarget(broken), retry=ss.Retry(max_attempts=0)))
            travel.advance(DAY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"start": "2030-01-01T00:00"}, ValueError, "is naive"),
        ({"start": 3}, ValueError, "datetime"),
        ({"recorder": "x"}, TypeError, "expected a Recorder for recorder, got 'x'"),
    ],
)
def test_a_wrong_argument_of_a_travel_is_named(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        TimeTravel(**arguments)


def test_the_fixture_takes_a_marker_or_a_parameter(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import datetime, pytest, stepsched as ss
        from stepsched.testing import Recorder

        def fail(): raise LookupError("no such report")

        def play(travel):
            day, once = datetime.timedelta(days=1), ss.Retry(max_attempts=0)
            job = ss.Job(name="j", schedule=ss.Rate(day), target=ss.HandlerTarget(fail), retry=once)
            travel.client.create(job)
            travel.advance(day)

        recorder = Recorder()
        pytestmark = pytest.mark.time_travel(recorder=recorder, start="2029-01-01T00:00Z")

        def test_of_the_module(time_travel):
            assert (time_travel.now.year, time_travel.recorder) == (2029, recorder)

        @pytest.mark.time_travel("2031-01-01T00:00Z")
        def test_of_the_function(time_travel):
            assert (time_travel.now.year, time_travel.recorder) == (2031, recorder)
            play(time_travel)

        @pytest.mark.parametrize("time_travel", [
            "2032-01-01T00:00Z", {"start": "2033-01-01T00:00Z"},
        ], indirect=True)
        def test_of_the_parameter(time_travel):
            assert time_travel.now.year in (2032, 2033)

        @pytest.mark.time_travel(strict=True)
        def test_strict(time_travel):
            play(time_travel)

        @pytest.mark.time_travel(begin="2031-01-01T00:00Z")
        def test_wrong(time_travel):
            pass
        """
    )
    result = pytester.runpytest_subprocess(
        "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--strict-markers"
    )
    result.assert_outcomes(passed=5, errors=2)  # a strict test fails at its end, where the fixture ends
    result.stdout.fnmatch_lines(["*AssertionError: 2 runs have failed for good:*", "*begin*"])
