"""What users test their schedules with."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

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
