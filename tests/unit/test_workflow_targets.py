"""Tests that what cannot run a job whose target is a workflow says so by name, with the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

import stepsched as ss
from stepsched import deploy, estimates, iam
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings
from stepsched.targets.invocations import invocations
from stepsched.targets.summaries import target_summary

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
JOB = ss.Job(name="job", schedule=ss.Rate(DAY, start=NOON), target=ss.WorkflowTarget("nightly"))

REFUSALS: dict[str, tuple[Callable[[], object], str]] = {
    "EventBridge": (
        lambda: check_job(JOB, Settings(None), region="eu-west-1", partition="aws"),
        r"StateMachineTarget\(<WorkflowsArn>\) with input=\{'workflow': 'nightly'\}",
    ),
    "CloudFormation": (lambda: deploy.jobs_to_cloudformation([JOB]), "WorkflowsArn"),
    "Terraform": (lambda: deploy.jobs_to_terraform([JOB]), "WorkflowsArn"),
    "a machine of its own": (lambda: ss.render_asl(JOB), "use StepFunctionsBackend or LocalBackend"),
    "the role of schedules": (
        lambda: iam.policy_for([JOB]),
        "does not know the state machine that runs workflows",
    ),
    "an estimate": (
        lambda: estimates.estimate([JOB], NOON, NOON + DAY),
        "depends on its steps, and is not estimated",
    ),
    "a stack without workflows": (lambda: deploy.template([JOB.target]), "workflows"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_does_not_run_workflows_says_so_and_names_the_way(name: str) -> None:
    refuses, words = REFUSALS[name]
    with pytest.raises((ss.UnsupportedError, ValueError), match=words):
        refuses()


def test_the_calls_of_a_workflow_are_not_those_of_its_target() -> None:
    assert invocations(JOB.target) == ()
    assert target_summary(JOB.target) == "workflow nightly"
