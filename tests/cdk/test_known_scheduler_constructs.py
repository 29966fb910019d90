"""What the constructs of the AWS Solutions scheduler do; a test for each of their features.

The rest of it: tests/contract/test_known_scheduler.py. Deployed: tests/cdk/test_deploy.py.
"""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_stepfunctions as sfn

from stepsched.cdk import Scheduler, SchedulerFragment
from tests.cdk.conftest import ENVIRONMENT
from tests.cdk.test_scheduler import TRAIN, allowed, definition, payload_of

GIVEN: dict[str, Any] = {
    "schedule_for": "my schedule",
    "schedule_for_suffix": "$.group",
    "target": TRAIN,
    "schedule_path": "$.path.to.cron",
    "schedule_input": {"static_input": "value", "derived_input.$": "$.field"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[cdk.Stack, Scheduler]:
    """A stack with a scheduler, a machine with a fragment, and one with a task of each kind."""
    folder = str(tmp_path_factory.mktemp("cdk"))
    stack = cdk.Stack(cdk.App(outdir=folder, analytics_reporting=False), "Jobs", env=ENVIRONMENT)
    scheduler = Scheduler(stack, "Scheduler", sync=True, dashboard=True)
    scheduler.grant_invoke(TRAIN)
    fragment = SchedulerFragment(stack, scheduler=scheduler, **GIVEN)
    sfn.StateMachine(stack, "User", definition_body=sfn.DefinitionBody.from_chainable(fragment))
    chain = sfn.Chain.start(sfn.Pass(stack, "Start"))
    for verb in ("create", "read", "update", "delete"):
        chain = chain.next(getattr(scheduler, f"{verb}_scheduled_task").state(stack, verb, max_attempts=3))
    sfn.StateMachine(stack, "Tasks", definition_body=sfn.DefinitionBody.from_chainable(chain))
    return stack, scheduler


Made = tuple[cdk.Stack, Scheduler]


def test_the_scheduler_its_members_and_grant_invoke(made: Made) -> None:
    stack, scheduler = made
    assert scheduler.sync
    for member in ("state_machine_arn", "state_machine_name", "state_machine_executions_arn"):
        assert stack.resolve(getattr(scheduler, member))
    assert "train" in json.dumps(
        allowed(stack, "AWS::IAM::Role", "SchedulerRunnerRole")["states:StartExecution"]
    )


@pytest.mark.parametrize("verb", ["create", "read", "update", "delete"])
def test_a_scheduled_task_makes_a_state_with_retries(made: Made, verb: str) -> None:
    state = definition(made[0], "Tasks")["States"][verb]
    assert (state["Type"], state["Retry"][0]["MaxAttempts"]) == ("Task", 3)


def test_a_scheduled_task_has_no_function(made: Made) -> None:
    """The register takes its place."""
    assert assertions.Template.from_stack(made[0]).find_resources("AWS::Lambda::Function") == {}
    assert definition(made[0], "Tasks")["States"]["read"]["Resource"].endswith(":startExecution.sync:2")


def test_a_fragment_looks_for_the_schedule_and_passes_its_input(made: Made) -> None:
    states = definition(made[0], "User")["States"]
    (choice,) = states["Check if My Schedule Schedule Required"]["Choices"]
    assert (choice["Variable"], choice["IsPresent"]) == ("$.path.to.cron", True)
    assert states["Create Schedule For My Schedule"]["ResultPath"] is None


@pytest.mark.parametrize(
    "more", [{"schedule_input_path": "$"}, {"schedule_input": None}], ids=["both", "none"]
)
def test_a_fragment_with_both_or_neither_input_is_refused(stack: cdk.Stack, more: dict[str, Any]) -> None:
    arn = TRAIN.state_machine_arn
    other = Scheduler.from_scheduler_attributes(
        stack, "Other", table_name="jobs", state_machine_arn=arn, register_arn=f"{arn}-register"
    )
    with pytest.raises(ValueError, match="must be provided, not both"):
        SchedulerFragment(stack, scheduler=other, **{**GIVEN, **more})


def test_derived_input_is_mixed_with_static_input(made: Made) -> None:
    assert payload_of(definition(made[0], "User")["States"])["input"] == GIVEN["schedule_input"]


def test_the_outputs_have_the_names_of_the_original(made: Made) -> None:
    outputs = assertions.Template.from_stack(made[0]).to_json()["Outputs"]
    assert {"SchedulerTableName", "SchedulerStepFunctionArn"} <= outputs.keys()


def test_the_dashboard_shows_jobs_created_and_jobs_deleted(made: Made) -> None:
    (board,) = assertions.Template.from_stack(made[0]).find_resources("AWS::CloudWatch::Dashboard").values()
    for metric in ("JobsCreated", "JobsDeleted"):
        assert metric in json.dumps(board)
        assert metric in (
            made[1].metric_jobs_created().metric_name,
            made[1].metric_jobs_deleted().metric_name,
        )
