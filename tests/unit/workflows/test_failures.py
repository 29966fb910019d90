"""Why an attempt failed: the job itself, the platform, or somebody who stopped it."""

from __future__ import annotations

import pytest

from stepsched.workflows import FailureKind
from stepsched.workflows.failures import DEPENDENCY, RULES, batch_failure, failure_of

JOB, PLATFORM, STOPPED = FailureKind.JOB, FailureKind.PLATFORM, FailureKind.STOPPED

BATCH = [
    pytest.param("Host EC2 (instance i-0123456789abcdef0) terminated.", None, PLATFORM, id="spot instance"),
    pytest.param("Your Spot Task was interrupted.", None, PLATFORM, id="spot task on Fargate"),
    pytest.param("Task failed to start", "CannotPullContainerError: pull image", PLATFORM, id="image"),
    pytest.param(
        "Task failed to start", "DockerTimeoutError: Could not transition", PLATFORM, id="start timeout"
    ),
    pytest.param("ResourceInitializationError: failed to pull secrets", None, PLATFORM, id="resources"),
    pytest.param(
        "Task failed to start", "CannotStartContainerError: Error response", PLATFORM, id="container"
    ),
    pytest.param("Job attempt duration exceeded timeout", None, JOB, id="timeout"),
    pytest.param("Essential container in task exited", None, JOB, id="exit code"),
    pytest.param(
        "Essential container in task exited", "OutOfMemoryError: Container killed", JOB, id="memory"
    ),
    pytest.param(None, None, JOB, id="no reason"),
    pytest.param("Dependent Job failed", None, None, id="dependency"),
    pytest.param("Dependent job failed", None, None, id="dependency in an emulator"),
]


@pytest.mark.parametrize(("reason", "container", "kind"), BATCH)
def test_a_failed_batch_job(reason: str | None, container: str | None, kind: FailureKind | None) -> None:
    assert batch_failure(reason, container) is kind


def test_a_batch_job_that_was_terminated_is_stopped_whatever_the_given_reason_says() -> None:
    assert batch_failure("not needed any more", ended_by_operator=True) is STOPPED
    assert batch_failure("Task failed to start, so I end it", ended_by_operator=True) is STOPPED
    assert batch_failure("Job attempt duration exceeded timeout", ended_by_operator=True) is JOB


OTHERS = [
    pytest.param("States.Timeout", "", JOB, id="timeout of a state"),
    pytest.param(
        "States.TaskFailed", '{"Status":"ABORTED","ExecutionArn":"x"}', STOPPED, id="aborted execution"
    ),
    pytest.param("States.TaskFailed", '{"Status": "TIMED_OUT"}', JOB, id="timed out execution"),
    pytest.param("States.TaskFailed", '{"StopCode":"SpotInterruption"}', PLATFORM, id="spot task"),
    pytest.param(
        "States.TaskFailed", '{"StopCode":"TaskFailedToStart"}', PLATFORM, id="task that did not start"
    ),
    pytest.param("States.TaskFailed", '{"StopCode":"UserInitiated"}', STOPPED, id="stopped task"),
    pytest.param("States.TaskFailed", '{"StopCode":"EssentialContainerExited"}', JOB, id="exited task"),
    pytest.param("States.TaskFailed", '{"BuildStatus":"STOPPED"}', STOPPED, id="stopped build"),
    pytest.param(
        "States.TaskFailed", '{"IsTerminated":true,"StatusReason":"enough"}', STOPPED, id="Batch, waited for"
    ),
    pytest.param(
        "States.TaskFailed",
        '{"IsTerminated":true,"StatusReason":"Task failed to start, so I end it"}',
        STOPPED,
        id="a stop whose reason speaks of the platform",
    ),
    pytest.param("ValueError", "wrong date", JOB, id="an error of a function"),
]


@pytest.mark.parametrize(("error", "cause", "kind"), OTHERS)
def test_a_failed_attempt_of_another_service(error: str, cause: str, kind: FailureKind) -> None:
    assert failure_of(error, cause) is kind


def test_the_rules_can_be_written_in_other_languages() -> None:
    """Lower-case ASCII without quotes that would have to be escaped, each text once."""
    texts = [rule.text for rule in RULES]
    assert len(set(texts)) == len(texts)
    assert all(text == text.lower() and text.isascii() and "'" not in text for text in [*texts, DEPENDENCY])
    assert all(
        rule.source.startswith(("https://docs.aws.amazon.com/", "https://aws.amazon.com/")) for rule in RULES
    )
