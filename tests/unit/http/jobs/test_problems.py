"""Refusals: a status for every error, and nothing in them that nobody should see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from stepsched.core import errors
from stepsched.http.jobs.problems import KINDS, Fault, Kind, Refusal, invalid, pointer, refusal_of

AT = datetime(2030, 1, 1, tzinfo=timezone.utc)
BACKEND = ("sqlite", "update", "BUSY")
SAMPLES: dict[type[errors.StepschedError], tuple[errors.StepschedError, int, str]] = {
    errors.StepschedError: (errors.StepschedError("a detail"), 500, "internal_error"),
    errors.InvalidScheduleError: (errors.InvalidScheduleError("x", "hours", "no"), 422, "invalid_schedule"),
    errors.RenderError: (errors.RenderError("a", "no"), 422, "cannot_render"),
    errors.DefinitionError: (errors.DefinitionError([], "no"), 422, "invalid_definition"),
    errors.UnsupportedError: (errors.UnsupportedError("a", "local", "no", ("b",)), 501, "unsupported"),
    errors.JobNotFoundError: (errors.JobNotFoundError("a"), 404, "job_not_found"),
    errors.JobExistsError: (errors.JobExistsError("a"), 409, "job_exists"),
    errors.RunNotFoundError: (errors.RunNotFoundError("a", 1), 404, "run_not_found"),
    errors.WaitTimeoutError: (errors.WaitTimeoutError("a", 1, "running", 1.0), 504, "wait_timeout"),
    errors.WorkflowNotFoundError: (errors.WorkflowNotFoundError("a"), 404, "workflow_not_found"),
    errors.InvalidTransitionError: (
        errors.InvalidTransitionError("a", "ended", "pause"),
        409,
        "invalid_transition",
    ),
    errors.ConflictError: (errors.ConflictError("a", 1), 409, "conflict"),
    errors.JobFileError: (errors.JobFileError("a", "no"), 422, "invalid_file"),
    errors.BulkError: (errors.BulkError({"a": errors.ConflictError("a", 1)}, 2), 409, "partly_failed"),
    errors.HandlerError: (errors.HandlerError("a", AT), 500, "internal_error"),
    errors.WebhookError: (errors.WebhookError("no"), 400, "invalid_webhook"),
    errors.BackendError: (errors.BackendError("sqlite", "open", "CORRUPT"), 500, "CORRUPT"),
    errors.AccessDeniedError: (errors.AccessDeniedError("scheduler", "Get", "Denied"), 500, "Denied"),
    errors.ThrottledError: (errors.ThrottledError("scheduler", "Get", "Slow"), 503, "Slow"),
    errors.BackendUnavailableError: (errors.BackendUnavailableError(*BACKEND), 503, "BUSY"),
}


def classes(
    base: type[errors.StepschedError] = errors.StepschedError,
) -> Iterator[type[errors.StepschedError]]:
    yield base
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from classes(each)


def test_every_class_of_errors_has_its_answer() -> None:
    """A class that is added is not answered by accident."""
    assert set(KINDS) == set(classes())
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_an_error_is_answered_by_its_status_and_code(kind: type[errors.StepschedError]) -> None:
    error, status, code = SAMPLES[kind]
    document = refusal_of(error).document()
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:stepsched:problem:{code.lower()}"
    assert KINDS[kind] in (Kind(status, code), Kind(status, ""), Kind(status, "handler_failed"))


def test_a_class_of_a_user_is_answered_as_its_base() -> None:
    class OwnError(errors.ConflictError):
        pass

    assert refusal_of(OwnError("a", 1)).status == 409


def test_a_refusal_has_the_sentence_of_the_error() -> None:
    error = errors.UnsupportedError("a", "eventbridge", "it has no seconds", ("LocalBackend",))
    document = refusal_of(error).document()
    assert document["detail"] == str(error)
    assert document["instead"] == ["LocalBackend"]


def test_what_a_service_said_is_left_out() -> None:
    error = errors.BackendError("sqlite", "open", "CANTOPEN", detail="/home/me/jobs.db cannot be opened")
    assert refusal_of(error).detail == "sqlite open failed with CANTOPEN"
    denied = errors.AccessDeniedError("scheduler", "GetSchedule", "Denied", detail="arn:aws:iam::1:role/r")
    assert "arn:" not in str(refusal_of(denied).document())


def test_an_unexpected_error_says_nothing_of_itself() -> None:
    document = refusal_of(errors.StepschedError("the detail")).document()
    assert "the detail" not in str(document)


def test_a_group_that_is_needed_is_asked_for() -> None:
    error = errors.BackendError("scheduler", "get", errors.ErrorCode.AMBIGUOUS, detail="groups: a, b")
    assert (refusal_of(error).status, refusal_of(error).detail) == (409, "groups: a, b")


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(errors.BackendUnavailableError(*BACKEND), "5", id="unknown"),
        pytest.param(errors.BackendError(*BACKEND, None, True), "5", id="retryable"),
        pytest.param(
            errors.ThrottledError("a", "b", "c", retry_after=timedelta(seconds=1.2)), "2", id="rounded up"
        ),
        pytest.param(errors.ThrottledError("a", "b", "c", retry_after=timedelta(0)), "1", id="at least one"),
    ],
)
def test_what_may_succeed_later_says_when(error: errors.StepschedError, seconds: str) -> None:
    found = refusal_of(error)
    assert (found.status, found.headers) == (503, {"retry-after": seconds})


def test_a_bulk_call_has_the_gravest_status_and_all_failures() -> None:
    failures = {"a": errors.ConflictError("a", 1), "b": errors.BackendUnavailableError(*BACKEND)}
    found = refusal_of(errors.BulkError(failures, 3))
    assert (found.status, found.headers, found.more) == (503, {"retry-after": "5"}, {"done": 3})
    assert [fault.place for fault in found.faults] == ["a", "b"]


def test_secrets_are_masked_in_sentences() -> None:
    document = invalid("expected x, got {'password': 'abc'}", Fault("/a", "got --token=abc")).document()
    assert "abc" not in str(document)


def test_a_long_sentence_is_shortened() -> None:
    assert len(str(Refusal(422, "x", "y" * 10_000).document()["detail"])) <= 2_000


def test_a_place_is_a_json_pointer() -> None:
    assert pointer(("jobs", 0, "a/b~c")) == "/jobs/0/a~1b~0c"
