"""The policies of workflows that docs/policies.md defines: P-43 to P-50."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.jobs.policies import OnFailure
from stepsched.workflows import FailureKind, Step, StepRun, StepStatus, When, Workflow
from stepsched.workflows.decisions import MAX_LOSSES, Failure, advance, after_failure
from stepsched.workflows.machine.names import batch_job_name
from stepsched.workflows.model import MAX_STEPS

NOW = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
TARGET = ss.CommandTarget(["true"])


def flow_of(*steps: Step, on_failure: OnFailure = OnFailure.CONTINUE) -> Workflow:
    return Workflow("nightly", steps=steps, on_failure=on_failure)


def states(**statuses: StepStatus) -> dict[str, StepRun]:
    return {name: StepRun(name=name, status=status) for name, status in statuses.items()}


def test_a_skipped_step_counts_as_done_and_the_run_succeeds() -> None:
    """P-43."""
    flow = flow_of(Step("a", target=TARGET), Step("b", target=TARGET, needs=["a"]))
    assert advance(flow, states(a=StepStatus.SKIPPED, b=StepStatus.PENDING), NOW).starts == ("b",)
    assert advance(flow, states(a=StepStatus.SKIPPED, b=StepStatus.SUCCEEDED), NOW).status == "succeeded"


def test_an_unmet_step_takes_those_that_need_it_along_and_the_run_succeeds() -> None:
    """P-44."""
    flow = flow_of(
        Step("a", target=TARGET),
        Step("alarm", target=TARGET, needs=["a"], when=When.FAILED),
        Step("page", target=TARGET, needs=["alarm"]),
    )
    given = states(a=StepStatus.SUCCEEDED, alarm=StepStatus.PENDING, page=StepStatus.PENDING)
    found = advance(flow, given, NOW)
    assert [(each.name, each.status) for each in found.left_out] == [("alarm", "unmet"), ("page", "unmet")]
    assert found.status == "succeeded"


def test_stop_lets_steps_run_that_clean_up_or_report() -> None:
    """P-45."""
    flow = flow_of(
        Step("a", target=TARGET),
        Step("other", target=TARGET),
        Step("clean", target=TARGET, needs=["a"], when=When.DONE),
        Step("alarm", target=TARGET, needs=["a"], when=When.FAILED),
        on_failure=OnFailure.STOP,
    )
    given = states(
        a=StepStatus.FAILED, other=StepStatus.PENDING, clean=StepStatus.PENDING, alarm=StepStatus.PENDING
    )
    found = advance(flow, given, NOW)
    assert found.starts == ("clean", "alarm")
    assert [(each.name, each.status) for each in found.left_out] == [("other", "upstream_failed")]


def test_what_the_platform_took_away_is_repeated_apart_from_the_retries() -> None:
    """P-46."""
    step, run = Step("a", target=TARGET, retry=ss.Retry(max_attempts=1)), StepRun(name="a")
    lost = Failure(FailureKind.PLATFORM, "Host EC2 (instance i-1) terminated.", NOW)
    for count in range(1, MAX_LOSSES + 1):
        run = after_failure(step, run, lost)
        assert (run.status, run.losses, run.failures, run.retry_at) == ("pending", count, 0, NOW)
    assert after_failure(step, run, Failure(FailureKind.JOB, "exit code 1", NOW)).status == "pending"
    assert after_failure(step, run, lost).status == "failed"


def test_the_age_of_a_step_does_not_end_its_retries() -> None:
    """P-47."""
    retry = ss.Retry(max_attempts=2, max_age=timedelta(minutes=1), interval=timedelta(seconds=30))
    step = Step("a", target=TARGET, retry=retry)
    begun = StepRun(name="a", started_at=NOW, attempt=1)
    found = after_failure(step, begun, Failure(FailureKind.JOB, "exit code 1", NOW + timedelta(days=3)))
    assert (found.status, found.retry_at) == ("pending", NOW + timedelta(days=3, seconds=30))


def test_the_name_of_a_batch_job_has_the_attempt_in_it() -> None:
    """P-49."""
    names = {batch_job_name("nightly", "r", "load", attempt) for attempt in range(1, 100)}
    assert len(names) == 99
    assert batch_job_name("nightly", "r", "load", 1) in names
    assert all(name.startswith("load-") and len(name) <= 128 for name in names)


def test_a_workflow_has_at_most_2000_steps() -> None:
    """P-50."""
    steps = [Step(f"s{number}", target=TARGET) for number in range(MAX_STEPS + 1)]
    assert len(Workflow("nightly", steps=steps[:-1]).steps) == 2_000
    with pytest.raises(ValidationError, match=r"2,?000"):
        Workflow("nightly", steps=steps)
