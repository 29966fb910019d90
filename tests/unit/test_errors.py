"""The error tree: parents, sentences, and pickles."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
from collections.abc import Iterator
from copy import copy, deepcopy
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.core import errors
from stepsched.core.errors import ErrorCode

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
        "no job is named 'nightly'; client.list() returns the existing jobs",
        id="JobNotFoundError",
    ),
    pytest.param(
        ss.JobExistsError("nightly"),
        "a different job is already named 'nightly'; "
        "use client.update(job) to change it, or choose another name",
        id="JobExistsError",
    ),
    pytest.param(
        ss.errors.RunNotFoundError("nightly", 7),
        "there is no run 7 of job 'nightly': its retention is over, or it belongs to another backend; "
        "client.runs('nightly') returns the existing runs",
        id="RunNotFoundError",
    ),
    pytest.param(
        ss.errors.WaitTimeoutError("nightly", 7, "running", 2.5),
        "run 7 of job 'nightly' is still running after 2.5 s; the run goes on, and client.wait(run) "
        "can be called again",
        id="WaitTimeoutError",
    ),
    pytest.param(
        ss.errors.WebhookError("its timestamp is older than 0:05:00"),
        "the webhook cannot be verified: its timestamp is older than 0:05:00",
        id="WebhookError",
    ),
    pytest.param(
        ss.InvalidTransitionError("nightly", "ended", "pause"),
        "cannot pause job 'nightly': it is ended",
        id="InvalidTransitionError",
    ),
    pytest.param(
        ss.ConflictError("nightly", 3),
        "job 'nightly' is no longer at version 3: it was changed in the meantime; "
        "read it again with client.get() and repeat the change",
        id="ConflictError",
    ),
    pytest.param(
        ss.errors.WorkflowNotFoundError("nightly"),
        "there is no workflow 'nightly'",
        id="WorkflowNotFoundError",
    ),
    pytest.param(
        ss.errors.WorkflowNotFoundError("nightli", near=("nightly",)),
        "there is no workflow 'nightli'; did you mean 'nightly'?",
        id="WorkflowNotFoundError with a near name",
    ),
    pytest.param(
        ss.errors.WorkflowNotFoundError("20300107T020000Z-k3f9"),
        "there is no workflow '20300107T020000Z-k3f9'; the key of a run is '<workflow>/<run>'",
        id="WorkflowNotFoundError of the ID of a run",
    ),
    pytest.param(
        ss.errors.WorkflowNotFoundError("nightly", 4),
        "there is no version 4 of workflow 'nightly'",
        id="WorkflowNotFoundError of a version",
    ),
    pytest.param(
        ss.errors.RunNotFoundError("nightly", "20300107T020000Z-k3f9"),
        "there is no run '20300107T020000Z-k3f9' of workflow 'nightly'; runs('nightly') of the client "
        "returns the existing runs",
        id="RunNotFoundError of a workflow",
    ),
    pytest.param(
        ss.errors.RunNotFoundError("nightly", "a1", ("a2", "a3")),
        "there is no run 'a1' of workflow 'nightly'; did you mean 'a2' or 'a3'?",
        id="RunNotFoundError with near IDs",
    ),
    pytest.param(
        ss.errors.WaitTimeoutError("nightly", "a1", "running", 2.5),
        "run a1 of workflow 'nightly' is still running after 2.5 s; the run goes on, and client.wait(run) "
        "can be called again",
        id="WaitTimeoutError of a workflow",
    ),
    pytest.param(
        ss.errors.WaitTimeoutError("nightly", "a1", "running", 2.5, "the backend is not started"),
        "run a1 of workflow 'nightly' is still running after 2.5 s: the backend is not started",
        id="WaitTimeoutError where nothing runs",
    ),
    pytest.param(
        ss.InvalidTransitionError("nightly/a1", "succeeded", "restart", "workflow run", "use from_="),
        "cannot restart workflow run 'nightly/a1': it is succeeded; use from_=",
        id="InvalidTransitionError of a workflow",
    ),
    pytest.param(
        ss.ConflictError("nightly/a1", 3, "workflow run"),
        "workflow run 'nightly/a1' was changed in the meantime, after revision 3; read it again, and "
        "repeat the change",
        id="ConflictError of a workflow",
    ),
    pytest.param(
        ss.UnsupportedError("nightly", "local", "it has no queue", (), "workflow"),
        "the local backend refuses workflow 'nightly': it has no queue",
        id="UnsupportedError of a workflow",
    ),
    pytest.param(
        ss.errors.DefinitionError(["ERROR A: no", "ERROR B: no"], "no object"),
        "expected the definition of a state machine: no object\n  ERROR A: no\n  ERROR B: no",
        id="DefinitionError",
    ),
    pytest.param(
        ss.errors.JobFileError("jobs.json", "expected at least one job, got none"),
        "cannot load jobs from jobs.json: expected at least one job, got none",
        id="JobFileError",
    ),
    pytest.param(
        ss.errors.HandlerError("nightly", AT),
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
        "scheduler CreateSchedule failed with X: slow (request r-1); the same call may succeed later",
        id="BackendError with everything",
    ),
    pytest.param(
        ss.errors.AccessDeniedError("scheduler", "GetSchedule", "AccessDenied", "r-1"),
        "scheduler GetSchedule failed with AccessDenied (request r-1)",
        id="AccessDeniedError",
    ),
    pytest.param(
        ss.errors.ThrottledError("scheduler", "GetSchedule", "Throttling", retry_after=timedelta(seconds=2)),
        "scheduler GetSchedule failed with Throttling; the same call may succeed later",
        id="ThrottledError",
    ),
    pytest.param(
        ss.errors.BackendUnavailableError("sqlite", "read", "BUSY", retryable=True, detail="wait"),
        "sqlite read failed with BUSY: wait; the same call may succeed later",
        id="BackendUnavailableError",
    ),
    pytest.param(
        ss.errors.BulkError({"nightly": ss.JobNotFoundError("nightly")}, 3),
        "1 of 4 failed:\n  nightly: no job is named 'nightly'; client.list() returns the existing jobs",
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
    "WebhookError": (ss.StepschedError, ValueError),
    "WorkflowNotFoundError": (ss.StepschedError, LookupError),
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
    if inspect.isclass(value) and value.__module__ == errors.__name__ and issubclass(value, Exception)
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
    assert getattr(ss.errors, name) is DEFINED[name]
    assert name in ss.errors.__all__
    if name != "ScheduleWarning":
        assert errors.__doc__ is not None
        assert f" {name}" in f" {errors.__doc__}".replace("\n", " ")


def test_one_except_catches_everything_that_is_raised_on_purpose() -> None:
    for name, error in DEFINED.items():
        assert issubclass(error, ss.StepschedError) is (name != "ScheduleWarning")


def test_throttling_may_be_tried_again_unless_said_otherwise() -> None:
    assert ss.errors.ThrottledError("s", "o", "c").retryable
    assert ss.errors.ThrottledError("s", "o", "c").retry_after is None
    assert not ss.errors.AccessDeniedError("s", "o", "c").retryable


def test_the_handler_s_own_exception_is_the_cause() -> None:
    cause = KeyError("format")
    with pytest.raises(ss.errors.HandlerError) as caught:
        raise ss.errors.HandlerError("nightly", AT) from cause
    assert caught.value.__cause__ is cause


def test_a_report_of_many_failures_is_short_and_holds_them_all() -> None:
    failures = {f"job-{number}": ss.JobNotFoundError(f"job-{number}") for number in range(25)}
    error = ss.errors.BulkError(failures, 0)
    assert len(str(error).splitlines()) == 12
    assert str(error).endswith("and 15 more, in .failures")
    assert error.failures == failures


# -- codes -------------------------------------------------------------------------------------------------

PACKAGE = Path(ss.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def meanings() -> dict[str, str]:
    """What the docstring under each member of ``ErrorCode`` says."""
    module = ast.parse((PACKAGE / "core" / "errors.py").read_text(encoding="utf-8"))
    (body,) = (
        node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == "ErrorCode"
    )
    found = {}
    for member, text in zip(body[1::2], body[2::2], strict=True):
        assert isinstance(member, ast.Assign)
        assert isinstance(member.targets[0], ast.Name)
        assert isinstance(text, ast.Expr)
        assert isinstance(text.value, ast.Constant)
        found[member.targets[0].id] = " ".join(str(text.value.value).split()).replace("``", "`")
    return found


def test_every_code_has_a_meaning_and_they_are_sorted() -> None:
    assert list(meanings()) == [code.name for code in ErrorCode] == sorted(code.name for code in ErrorCode)


def test_the_documentation_lists_every_code_with_its_meaning() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == meanings()
    assert len(rows) == len(ErrorCode)


def test_the_documentation_lists_every_error() -> None:
    named = set(re.findall(r"^\| `(?:errors\.)?(\w+Error)` ", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert named == set(DEFINED) - {"StepschedError", "ScheduleWarning"}


@pytest.mark.parametrize("code", ErrorCode, ids=str)
def test_a_code_is_its_word(code: ErrorCode) -> None:
    assert code == code.name
    assert f"{code}" == str(code) == code.name
    error = ss.BackendError("sqlite", "open", code)
    assert error.code == code.name
    assert str(error) == f"sqlite open failed with {code.name}"
    assert pickle.loads(pickle.dumps(error)).code == code.name


def literals() -> Iterator[tuple[str, int, str]]:
    """The text in the package that is one of our codes, outside of the definition."""
    words = set(ErrorCode)
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == PACKAGE / "core" / "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in words:
                yield path.relative_to(PACKAGE).as_posix(), node.lineno, str(node.value)


def test_no_code_of_ours_is_written_as_text() -> None:
    others = {("asl", "FULL"), ("cli", "VERSION")}  # a jitter, the title of a column
    assert [each for each in literals() if (each[0].partition("/")[0], each[2]) not in others] == []


def test_an_error_of_ours_is_given_no_code_as_text() -> None:
    """So that a new one cannot stand outside of ``ErrorCode``."""
    names = {name for name, error in DEFINED.items() if issubclass(error, ss.BackendError)}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                texts = [each for each in node.args[2:3] if isinstance(each, ast.Constant)]
                assert texts == [], f"{path}:{node.lineno}"
