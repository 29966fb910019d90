"""The error tree: parents, sentences, and pickles."""

from __future__ import annotations

import inspect
import pickle
from copy import copy, deepcopy
from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched.core import errors

AT = datetime(2030, 1, 1, 9, tzinfo=timezone.utc)

ERRORS = [
    pytest.param(ss.StepschedError("anything"), "anything", id="StepschedError"),
    pytest.param(ss.ScheduleWarning("beware"), "beware", id="ScheduleWarning"),
    pytest.param(
        ss.InvalidScheduleError("cron(x)", "minutes", "'x' is no number"),
        "invalid schedule 'cron(x)': minutes: 'x' is no number",
        id="InvalidScheduleError",
    ),
    pytest.param(
        ss.RenderError("nightly", "it has no target"),
        "cannot render job 'nightly': it has no target",
        id="RenderError",
    ),
    pytest.param(
        ss.UnsupportedError("nightly", "local", "it has no queue"),
        "the local backend refuses job 'nightly': it has no queue",
        id="UnsupportedError",
    ),
    pytest.param(
        ss.UnsupportedError("nightly", "local", "it has no queue", ("drop it", "EventBridgeBackend")),
        "the local backend refuses job 'nightly': it has no queue (instead: drop it; EventBridgeBackend)",
        id="UnsupportedError with alternatives",
    ),
    pytest.param(
        ss.JobNotFoundError("nightly"),
        "no job is named 'nightly'; client.list() shows those that exist",
        id="JobNotFoundError",
    ),
    pytest.param(
        ss.JobExistsError("nightly"),
        "a different job is named 'nightly' already; "
        "use client.update(job) to change it or choose another name",
        id="JobExistsError",
    ),
    pytest.param(
        ss.RunNotFoundError("nightly", 7),
        "run 7 of job 'nightly' is not known: its retention is over, or it is another backend's; "
        "client.runs('nightly') shows those that are known",
        id="RunNotFoundError",
    ),
    pytest.param(
        ss.WaitTimeoutError("nightly", 7, "running", 2.5),
        "run 7 of job 'nightly' is still running after 2.5 s; it goes on, and can be waited for again",
        id="WaitTimeoutError",
    ),
    pytest.param(
        ss.InvalidTransitionError("nightly", "ended", "pause"),
        "cannot pause job 'nightly': it is ended",
        id="InvalidTransitionError",
    ),
    pytest.param(
        ss.ConflictError("nightly", 3),
        "job 'nightly' is no longer at version 3: somebody wrote first; "
        "read it again with client.get() and repeat the change",
        id="ConflictError",
    ),
    pytest.param(
        ss.DefinitionError(["ERROR A: no", "ERROR B: no"], "no object"),
        "this is no definition of a state machine: no object\n  ERROR A: no\n  ERROR B: no",
        id="DefinitionError",
    ),
    pytest.param(
        ss.JobFileError("jobs.json", "it holds no job"),
        "cannot load jobs from jobs.json: it holds no job",
        id="JobFileError",
    ),
    pytest.param(
        ss.HandlerError("nightly", AT),
        "the run of job 'nightly' for 2030-01-01T09:00:00+00:00 failed",
        id="HandlerError",
    ),
    pytest.param(
        ss.BackendError("sqlite", "create", "CORRUPT"),
        "sqlite create failed with CORRUPT",
        id="BackendError",
    ),
    pytest.param(
        ss.BackendError("scheduler", "CreateSchedule", "X", "r-1", retryable=True, detail="slow"),
        "scheduler CreateSchedule failed with X: slow (request r-1); trying again may help",
        id="BackendError with everything",
    ),
    pytest.param(
        ss.AccessDeniedError("scheduler", "GetSchedule", "AccessDenied", "r-1"),
        "scheduler GetSchedule failed with AccessDenied (request r-1)",
        id="AccessDeniedError",
    ),
    pytest.param(
        ss.ThrottledError("scheduler", "GetSchedule", "Throttling", retry_after=timedelta(seconds=2)),
        "scheduler GetSchedule failed with Throttling; trying again may help",
        id="ThrottledError",
    ),
    pytest.param(
        ss.BackendUnavailableError("sqlite", "read", "BUSY", retryable=True, detail="wait"),
        "sqlite read failed with BUSY: wait; trying again may help",
        id="BackendUnavailableError",
    ),
    pytest.param(
        ss.BulkError({"nightly": ss.JobNotFoundError("nightly")}, 3),
        "1 of 4 failed:\n  nightly: no job is named 'nightly'; client.list() shows those that exist",
        id="BulkError",
    ),
]

PARENTS = {
    "StepschedError": (Exception,),
    "ScheduleWarning": (UserWarning,),
    "InvalidScheduleError": (ss.StepschedError, ValueError),
    "RenderError": (ss.StepschedError, ValueError),
    "DefinitionError": (ss.StepschedError, ValueError),
    "UnsupportedError": (ss.StepschedError,),
    "JobNotFoundError": (ss.StepschedError, LookupError),
    "JobExistsError": (ss.StepschedError,),
    "RunNotFoundError": (ss.StepschedError, LookupError),
    "WaitTimeoutError": (ss.StepschedError, TimeoutError),
    "InvalidTransitionError": (ss.StepschedError,),
    "ConflictError": (ss.StepschedError,),
    "JobFileError": (ss.StepschedError, ValueError),
    "BulkError": (ss.StepschedError,),
    "HandlerError": (ss.StepschedError,),
    "BackendError": (ss.StepschedError,),
    "AccessDeniedError": (ss.BackendError,),
    "ThrottledError": (ss.BackendError,),
    "BackendUnavailableError": (ss.BackendError,),
}

DEFINED = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


@pytest.mark.parametrize(("error", "sentence"), ERRORS)
def test_an_error_pickles_and_copies_to_itself(error: Exception, sentence: str) -> None:
    for again in (
        *(pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy(error),
        deepcopy(error),
    ):
        assert type(again) is type(error)
        assert repr(again.args) == repr(error.args)  # an error in an error equals itself only by its words
        assert repr(vars(again)) == repr(vars(error))
        assert str(again) == str(error)


@pytest.mark.parametrize(("error", "sentence"), ERRORS)
def test_an_error_says_what_the_value_and_the_cure(error: Exception, sentence: str) -> None:
    assert str(error) == sentence


@pytest.mark.parametrize(("error", "sentence"), ERRORS)
def test_every_argument_of_an_error_is_an_attribute_of_that_name(error: Exception, sentence: str) -> None:
    if inspect.isfunction(type(error).__init__):
        names = list(inspect.signature(type(error)).parameters)
        assert names == list(vars(error))
        assert tuple(vars(error).values()) == error.args


def test_every_error_stands_in_the_table_above() -> None:
    assert {type(parameter.values[0]).__name__ for parameter in ERRORS} == set(DEFINED)


@pytest.mark.parametrize("name", sorted(DEFINED))
def test_every_error_hangs_at_its_place_in_the_tree(name: str) -> None:
    assert DEFINED[name].__bases__ == PARENTS[name]


@pytest.mark.parametrize("name", sorted(DEFINED))
def test_every_error_is_drawn_in_the_module_and_exported(name: str) -> None:
    assert getattr(ss, name) is DEFINED[name]
    assert name in ss.__all__
    if name != "ScheduleWarning":
        assert errors.__doc__ is not None
        assert f" {name}" in f" {errors.__doc__}".replace("\n", " ")


def test_one_except_catches_everything_that_is_raised_on_purpose() -> None:
    for name, error in DEFINED.items():
        assert issubclass(error, ss.StepschedError) is (name != "ScheduleWarning")


def test_throttling_may_be_tried_again_unless_said_otherwise() -> None:
    assert ss.ThrottledError("s", "o", "c").retryable
    assert ss.ThrottledError("s", "o", "c").retry_after is None
    assert not ss.AccessDeniedError("s", "o", "c").retryable


def test_the_handler_s_own_exception_is_the_cause() -> None:
    cause = KeyError("format")
    with pytest.raises(ss.HandlerError) as caught:
        raise ss.HandlerError("nightly", AT) from cause
    assert caught.value.__cause__ is cause


def test_a_report_of_many_failures_is_short_and_holds_them_all() -> None:
    failures = {f"job-{number}": ss.JobNotFoundError(f"job-{number}") for number in range(25)}
    error = ss.BulkError(failures, 0)
    assert len(str(error).splitlines()) == 12
    assert str(error).endswith("and 15 more, in .failures")
    assert error.failures == failures
