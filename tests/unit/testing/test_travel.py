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
        (
            {"start": "2030-01-01T00:00"},
            ValueError,
            "with an offset or a zone for start.*; use '2030-03-30T09:00Z'",
        ),
        ({"start": "2030-01-01"}, ValueError, "expected a date and a time .*, got '2030-01-01'; use"),
        ({"start": "2030-01-01 Europe/Paris"}, ValueError, r"use .*'2030-03-30T09:00\[Europe/Paris\]'"),
        ({"start": None}, ValueError, "for start, got None"),
        ({"record": "report"}, TypeError, "expected 'all' or a list of names for record, got 'report'"),
        ({"record": True}, TypeError, "expected 'all' or a list of names for record, got True"),
        ({"record": [job()]}, TypeError, "expected the name of a job for record, got .*; use 'job'"),
        ({"start": 3}, ValueError, "for start, got 3"),
        ({"record": 1}, TypeError, r"expected 'all' or a list of names for record, got 1"),
        ({"record": None}, TypeError, r"expected 'all' or a list of names for record, got None"),
        ({"strict": "no"}, TypeError, "expected True or False for strict, got 'no'"),
        ({"recorder": "x"}, TypeError, "expected a Recorder for recorder, got 'x'"),
    ],
)
def test_a_wrong_argument_of_a_travel_is_named(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        TimeTravel(**arguments)


@pytest.mark.parametrize("failures", [-1, True, None, "2", 1.5])
def test_a_recorder_fails_a_whole_number_of_times(failures: Any) -> None:
    with pytest.raises(ValueError, match="expected a whole number of at least 0 for failures, got"):
        Recorder(failures=failures)
    with TimeTravel() as travel, pytest.raises(ValueError, match="for failures, got"):
        travel.record("report", failures=failures)


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

        @pytest.mark.time_travel(strict=True)
        def test_that_fails_itself(time_travel):
            play(time_travel)
            assert "its own" == "reason"

        @pytest.fixture
        def world(time_travel):
            play(time_travel)

        @pytest.mark.time_travel(strict=True)
        def test_strict_through_another_fixture(world):
            pass

        @pytest.mark.time_travel(strict=True)
        class TestClass:
            def test_strict_in_a_class(self, time_travel):
                play(time_travel)

            @pytest.mark.time_travel(strict=False)
            def test_tolerant(self, time_travel):
                play(time_travel)

        @pytest.mark.time_travel(begin="2031-01-01T00:00Z")
        def test_wrong(time_travel):
            pass
        """
    )
    # no summary of one line per failure: it repeats them, whole where CI is set and cut elsewhere
    result = pytester.runpytest_subprocess(
        "-q", "-rN", "-p", "no:cacheprovider", "-p", "no:xdist", "--strict-markers"
    )
    result.assert_outcomes(passed=5, failed=4, errors=1)
    text = result.stdout.str()
    assert text.count("2 runs have failed for good:") == 3
    assert "pytest_plugin.py" not in text.partition("FAILURES")[2]
    assert "During handling" not in text
    result.stdout.fnmatch_lines(
        ["expected start, recorder, record, strict for time_travel, got 'begin'", "*its own*"]
    )


def test_a_project_is_strict_by_its_configuration(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntime_travel_strict = true")
    pytester.makepyfile(
        """
        import datetime, pytest, stepsched as ss

        def fail(): raise LookupError("no such report")

        def play(travel):
            day, once = datetime.timedelta(days=1), ss.Retry(max_attempts=0)
            job = ss.Job(name="j", schedule=ss.Rate(day), target=ss.HandlerTarget(fail), retry=once)
            travel.client.create(job)
            travel.advance(day)

        def test_it(time_travel):
            play(time_travel)

        @pytest.mark.time_travel(strict=False)
        def test_tolerant(time_travel):
            play(time_travel)
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=1, failed=1)


# -- recorders of any target ---------------------------------------------------------------------------


COMMAND = ss.CommandTarget(["/no/such/program"])


@pytest.mark.time_travel(record="all")
@pytest.mark.parametrize(
    "target",
    [ss.HandlerTarget(broken), COMMAND, FUNCTION, ss.ParallelTarget([ss.HandlerTarget(broken), COMMAND])],
    ids=lambda target: type(target).__name__,
)
def test_every_target_can_be_recorded_instead_of_called(
    target: ss.targets.Target, time_travel: TimeTravel
) -> None:
    time_travel.client.create(job(target=target))
    time_travel.advance(2 * DAY)
    assert time_travel.recorder.of("job") == [START + timedelta(hours=9), START + timedelta(hours=33)]
    (first, _) = time_travel.recorder.calls
    assert (first.input, first.target, first.run.status.value) == ({"n": 1}, target, "running")
    time_travel.assert_no_failures()


@pytest.mark.time_travel(record=["job"])
def test_only_the_named_jobs_are_recorded(time_travel: TimeTravel) -> None:
    called = list[int]()
    create = time_travel.client.create
    create(job(target=ss.HandlerTarget(broken)))
    create(job(name="other", target=ss.HandlerTarget(lambda: called.append(1))))
    time_travel.advance(DAY)
    assert [call.job for call in time_travel.recorder.calls] == ["job"]
    assert called == [1]


def test_a_job_has_a_recorder_with_an_answer_and_failures_of_its_own(time_travel: TimeTravel) -> None:
    report = time_travel.record("job", answer={"pages": 3}, failures=2)  # before the job exists
    time_travel.client.create(job(target=COMMAND, retry=ss.Retry(max_attempts=2)))
    time_travel.client.create(job(name="aws"))
    time_travel.advance(DAY)
    (run,) = time_travel.client.runs("job")
    assert (run.status, run.attempt, run.result) == (ss.RunStatus.SUCCEEDED, 3, {"pages": 3})
    assert [call.run.attempt for call in report.calls] == [1, 2, 3]
    assert sorted(call.job for call in time_travel.recorder.calls) == ["aws", "job", "job", "job"]
    assert time_travel.client.get("job").job.target == COMMAND  # the definition is what was given


@pytest.mark.parametrize(
    "target", [ss.HandlerTarget(lambda given: given["n"] + 1), FUNCTION], ids=["function", "aws"]
)
def test_a_recorder_can_call_the_target_too(target: ss.targets.Target) -> None:
    with TimeTravel(recorder=Recorder(answer=2)) as travel:
        watched = travel.record("job", failures=1, calls_target=True)
        travel.client.create(job(target=target))
        travel.advance(DAY)
        (run,) = travel.client.runs("job")
    assert (run.attempt, run.result) == (2, 2)
    assert [call.run.attempt for call in watched.calls] == [1, 2]
    with pytest.raises(ValueError, match="the target answers"):
        travel.record("job", answer=1, calls_target=True)


@pytest.mark.time_travel(record="all")
def test_the_steps_of_a_workflow_are_recorded_by_their_names(time_travel: TimeTravel) -> None:
    time_travel.record("count", answer=7)
    steps = [
        ss.Step("count", target=ss.HandlerTarget(broken)),
        ss.Step("load", target=COMMAND, needs=["count"]),
    ]
    flows = ss.WorkflowClient(time_travel.backend)
    flows.put(ss.Workflow("nightly", steps=steps))
    time_travel.client.create(job(target=ss.WorkflowTarget("nightly"), input={}))
    time_travel.advance(DAY)
    assert [call.job for call in time_travel.recorder.calls] == ["count", "load"]
    (run,) = time_travel.client.runs("job")
    assert run.status is ss.RunStatus.SUCCEEDED


def test_what_is_told_of_a_failed_run_is_no_call_of_the_job(time_travel: TimeTravel) -> None:
    report = time_travel.record("job", failures=1)
    time_travel.client.create(job(dead_letter=QUEUE, retry=ss.Retry(max_attempts=0)))
    time_travel.advance(DAY)
    assert len(report.calls) == 1
    assert [call.target for call in time_travel.recorder.calls] == [FUNCTION, QUEUE]


# -- what shows itself -----------------------------------------------------------------------------------


def test_a_recorder_shows_its_calls_and_masks_secrets_of_inputs() -> None:
    with TimeTravel() as travel:
        travel.client.create(job(input={"password": "hunter2", "day": 3}))
        travel.advance(2 * DAY)
        calls = travel.recorder.calls
        assert str(travel.recorder).splitlines() == [
            "recorder of 2 calls",
            "JOB  SCHEDULED                    ATTEMPT  INPUT                          TARGET",
            *(
                f'job  2030-01-0{day} 09:00 +00:00 UTC  1        {{"password": "***", "day": 3}}  '
                f"lambda  {FUNCTION.function_arn}".replace("lambda  ", "lambda ")
                for day in (1, 2)
            ),
        ]
        assert "hunter2" not in str(calls[0])
        assert repr(calls) == (
            "[Call('job' at 2030-01-01T09:00:00+00:00), Call('job' at 2030-01-02T09:00:00+00:00)]"
        )


def test_a_recorder_of_many_calls_shows_the_first_60() -> None:
    with TimeTravel() as travel:
        travel.client.create(job(schedule=ss.Rate("PT1H")))
        travel.advance(4 * DAY)
        assert str(travel.recorder).splitlines()[-1] == f"... {len(travel.recorder.calls) - 60} more"


def test_time_travel_shows_its_clock_and_its_calls() -> None:
    with TimeTravel() as travel:
        assert str(travel).splitlines()[1:] == ["calls            none"]
        travel.client.create_many(job(name=f"job-{number}") for number in range(7))
        travel.client.pause("job-3")
        travel.advance(2 * DAY)
        assert str(travel).splitlines() == [
            "the clock shows  2030-01-03 00:00 +00:00 UTC",
            "calls            job-0 2, job-1 2, job-2 2, job-4 2, job-5 2 and 1 more jobs",
        ]
    assert str(travel).splitlines()[0] == "the clock shows  2030-01-03 00:00 +00:00 UTC"
    assert repr(travel) == "TimeTravel(2030-01-03T00:00:00+00:00, <recorder of 12 calls>)"
    assert str(travel.clock) == "the clock shows  2030-01-03 00:00 +00:00 UTC"


# -- mistakes ------------------------------------------------------------------------------------------


def test_a_name_to_record_that_no_job_had_fails_at_the_end() -> None:
    with pytest.raises(AssertionError, match="got 'jbo'; use 'job'"), TimeTravel(record=["jbo"]) as travel:
        travel.client.create(job())
    with TimeTravel(record=["job"]) as travel:
        travel.client.create(job())
        travel.client.cancel("job")


def test_a_strict_travel_fails_with_runs_that_wait_for_a_retry() -> None:
    words = "1 run has failed, with a retry to come:\njob, 2030-01-01T09:00:00"
    travel = TimeTravel(strict=True)
    travel.client.create(job(target=ss.HandlerTarget(broken)))
    travel.run_until("2030-01-01T10:00[Europe/Paris]")
    with pytest.raises(AssertionError, match=words):
        travel.check()


def test_durations_and_instants_have_errors_with_the_cure() -> None:
    travel = TimeTravel("2030-01-01T00:00[Europe/Paris]")
    assert repr(travel).startswith("TimeTravel(2030-01-01T00:00:00+01:00")
    with pytest.raises(ValueError, match="a zone for until, got '2030-01-02'"):
        travel.run_until("2030-01-02")
    with pytest.raises(ValueError, match=r"^timezone: .*did you mean 'Europe/Paris'"):
        travel.client.upcoming(limit=1).to_svg(timezone="Europe/Pari")
    with pytest.raises(ValueError, match=r"use Cron.from_crontab\('0 9 \* \* 1-5'\)"):
        job(schedule="0 9 * * 1-5")
    travel.close()
