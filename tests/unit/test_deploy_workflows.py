"""The part of a stack that runs workflows: its resources, its permissions, and those of its applications."""

from __future__ import annotations

import json
from typing import Any

import pytest

import stepsched as ss
from stepsched import asl
from stepsched.deploy import Part, client_policy, destroy, plan, runner_policy, template
from stepsched.deploy.listed import validate_targets
from stepsched.deploy.parts.names import max_stack_name
from stepsched.errors import ErrorCode
from stepsched.iam import deployer_policy
from stepsched.targets import Target
from stepsched.workflows.machine import workflow_machine
from tests.parts.cloud import FakeCloud
from tests.parts.iam_checks import parliament
from tests.unit.test_deploy import (
    ACCOUNT,
    AGAIN,
    BATCH_QUEUE,
    DEFINITION,
    LAMBDA,
    OWN,
    QUEUE,
    TABLE,
    TOPIC,
    linted,
)
from tests.unit.test_deploy_parts import ALTERNATIVES, allowed, of_kind, resolved, statements

PART = [Part.WORKFLOWS]
MACHINE = f"{OWN}-workflows"
RUNS, OWN_RUNS = (f"{arn.replace(':stateMachine:', ':execution:')}:*" for arn in (OWN, MACHINE))
BATCH = ss.targets.BatchTarget(DEFINITION, job_queue=BATCH_QUEUE)
JOBS = f"arn:aws:batch:{AGAIN}:job/*"
FUNCTION, INBOX, NEWS = ss.LambdaTarget(LAMBDA), ss.QueueTarget(QUEUE), ss.TopicTarget(TOPIC)
OF_BATCH = {
    "batch:SubmitJob": {DEFINITION, f"{DEFINITION}:*", BATCH_QUEUE},
    "batch:DescribeJobs": {"*"},
    "batch:ListJobs": {"*"},
}


def nightly(*targets: Any, **more: Any) -> ss.Workflow:
    """A workflow with one step for each target, one after another."""
    steps = [
        ss.Step(f"s{index}", target=target, needs=[f"s{index - 1}"] if index else [])
        for index, target in enumerate(targets)
    ]
    return ss.Workflow("nightly", steps=steps, **more)


def own_of_workflows() -> dict[str, set[str]]:
    """What the machine may do for workflows without Batch jobs and topics."""
    return allowed(template([], parts=PART), "WorkflowsRole")


# -- the resources -------------------------------------------------------------------------------------


def test_a_stack_with_the_part_has_a_machine_beside_the_runner() -> None:
    made = template([FUNCTION], parts=PART)
    assert sorted(made["Resources"]) == ["Runner", "RunnerRole", "Table", "Workflows", "WorkflowsRole"]
    assert made["Outputs"]["WorkflowsArn"]["Value"] == {"Ref": "Workflows"}
    machine = made["Resources"]["Workflows"]["Properties"]
    assert resolved(machine["StateMachineName"]) == "jobs-workflows"
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["DefinitionSubstitutions"] == {
        "TableName": {"Ref": "Table"},
        "RunnerArn": {"Ref": "Runner"},
    }
    text = json.dumps(machine["Definition"])
    assert "${TableName}" in text
    assert "${RunnerArn}" in text
    (trust,) = resolved(made["Resources"]["WorkflowsRole"]["Properties"]["AssumeRolePolicyDocument"])[
        "Statement"
    ]
    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": MACHINE},
    }


def test_the_definition_is_the_same_for_every_workflow() -> None:
    """Workflows are data of the table: no text of theirs is in a template."""
    plain = template([BATCH, FUNCTION], parts=PART)
    given = template([nightly(BATCH, FUNCTION, description="our pearls"), BATCH], parts=PART)
    assert plain["Resources"]["Workflows"] == given["Resources"]["Workflows"]
    assert "nightly" not in json.dumps(given["Resources"]["Workflows"])
    assert "pearls" not in json.dumps(given)


def test_a_stack_without_the_part_is_as_before() -> None:
    with_part, without = (template([FUNCTION], parts=parts) for parts in (PART, []))
    assert "Workflows" not in json.dumps(without)
    assert with_part["Resources"]["Table"] == without["Resources"]["Table"]
    for name in ("StateMachineName", "RoleArn", "DefinitionSubstitutions"):
        runner = (made["Resources"]["Runner"]["Properties"][name] for made in (with_part, without))
        assert len({json.dumps(each) for each in runner}) == 1


def test_a_prefix_names_the_machine_too() -> None:
    made = template([nightly(BATCH)], parts=PART, prefix="team-blue")
    assert made["Resources"]["TeamBlueWorkflows"]["Properties"]["StateMachineName"] == "team-blue-workflows"
    assert "TeamBlueWorkflowsArn" in made["Outputs"]
    assert "AWS::StackName" not in json.dumps(made)
    found = allowed(made, "TeamBlueWorkflowsRole")["states:StartExecution"]
    assert found == {
        f"arn:aws:states:{AGAIN}:stateMachine:team-blue-runner",
        f"arn:aws:states:{AGAIN}:stateMachine:team-blue-workflows",
    }


def test_alarms_tell_of_failed_workflows() -> None:
    plain, told = (
        of_kind(template([FUNCTION], parts=parts), "::Alarm")
        for parts in ([Part.ALARMS], [*PART, Part.ALARMS])
    )
    assert set(told) - set(plain) == {"WorkflowsFailedAlarm"}
    alarm = told["WorkflowsFailedAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/States", "ExecutionsFailed")
    assert alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": {"Ref": "Workflows"}}]


# -- the role of the machine ---------------------------------------------------------------------------


def test_without_batch_targets_and_topics_the_machine_uses_the_table_and_the_machines_of_the_stack() -> None:
    found = own_of_workflows()
    services = {action.partition(":")[0] for action in found}
    assert services == {"dynamodb", "states", "events"}
    rule = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"  # by which it waits for a successor
    for action, resources in found.items():
        if action.startswith("dynamodb:"):
            assert resources == {TABLE}
        if action.startswith("events:"):
            assert resources == {f"arn:aws:events:{AGAIN}:{rule}"}
    assert found["states:StartExecution"] == {OWN, MACHINE}
    assert found["states:DescribeExecution"] == {RUNS, OWN_RUNS}
    assert found["states:StopExecution"] == {OWN_RUNS}


def test_each_step_is_allowed_to_the_machine_that_invokes_it() -> None:
    made = template([nightly(BATCH, FUNCTION, INBOX, notify=NEWS)], parts=PART)
    machine, runner = (allowed(made, role) for role in ("WorkflowsRole", "RunnerRole"))
    assert machine == own_of_workflows() | OF_BATCH | {"sns:Publish": {TOPIC}}
    assert runner["lambda:InvokeFunction"] == {LAMBDA}
    assert runner["sqs:SendMessage"] == {QUEUE}
    assert "batch:SubmitJob" not in runner
    assert "sns:Publish" not in runner


def test_a_target_of_jobs_is_one_of_steps_too() -> None:
    made = template([BATCH, FUNCTION], topics=[NEWS], parts=PART)
    machine, runner = (allowed(made, role) for role in ("WorkflowsRole", "RunnerRole"))
    assert machine == own_of_workflows() | OF_BATCH | {"sns:Publish": {TOPIC}}
    assert runner["batch:SubmitJob"] == OF_BATCH["batch:SubmitJob"]
    assert runner["sns:Publish"] == {TOPIC}


def test_the_topic_of_the_stack_is_told_of_workflows() -> None:
    made = template([], parts=[Part.WORKFLOWS, Part.TOPIC])
    assert allowed(made, "WorkflowsRole")["sns:Publish"] == {"<Topic>"}


def test_names_of_batch_are_of_the_account_and_steps_with_one_definition_are_one_target() -> None:
    def named(number: int) -> ss.targets.BatchTarget:
        return ss.targets.BatchTarget("report:3", job_queue="nightly", parameters={"part": str(number)})

    flow = nightly(*map(named, range(1_000)), INBOX, INBOX)
    made = template([flow], parts=PART)
    assert allowed(made, "WorkflowsRole")["batch:SubmitJob"] == {f"{DEFINITION}:3", BATCH_QUEUE}
    assert made == template([nightly(named(0), INBOX)], parts=PART)
    listed = validate_targets([flow], cure=None)
    assert (len(listed.submitted), len(listed.called)) == (1, 1)


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_all_is_in_the_partition_of_the_targets(partition: str) -> None:
    there = ss.targets.BatchTarget(
        f"arn:{partition}:batch:x-y-1:{ACCOUNT}:job-definition/report", job_queue="nightly"
    )
    made = template([nightly(there)], parts=PART)
    assert "arn:aws:" not in json.dumps(made)
    assert f"arn:{partition}:states:::" in json.dumps(made["Resources"]["Workflows"])


def test_more_targets_than_a_policy_holds_are_refused() -> None:
    many = [ss.targets.BatchTarget(f"report-{index}", job_queue="nightly") for index in range(200)]
    with pytest.raises(ValueError, match=r"a policy of at most 10,240 characters, got .*use several stacks"):
        template([nightly(*many)], parts=PART)


def test_a_linter_of_policies_finds_nothing() -> None:
    made = template([nightly(BATCH, FUNCTION, notify=NEWS)], parts=PART)
    given = client_policy(table_arn=TABLE, state_machine_arn=OWN, workflows_arn=MACHINE)
    policies = [
        {"Version": "2012-10-17", "Statement": statements(made, role)}
        for role in ("WorkflowsRole", "RunnerRole")
    ]
    found = parliament([*policies, given])
    expected = {
        f"RESOURCE_MISMATCH: [{{'action': '{action}', 'required_format': '{form}'}}]"
        for action, form in ALTERNATIVES.items()
    }
    assert {fault for faults in found for fault in faults} <= expected


def test_a_linter_of_templates_finds_nothing_and_the_machine_is_sound() -> None:
    made = template([nightly(BATCH, FUNCTION, notify=NEWS)], parts=PART)
    assert linted(made, template([], parts=PART, prefix="blue")) == (0, "")
    machine = of_kind(made, "::StateMachine")["Workflows"]
    assert asl.check(machine["Definition"], type="STANDARD") == []


def test_no_text_of_the_definition_is_a_reference_of_cloudformation() -> None:
    assert "${" not in workflow_machine("jobs", runner_arn=OWN).to_json()


# -- the runner ----------------------------------------------------------------------------------------


def test_the_runner_may_start_the_workflows_of_its_stack() -> None:
    made = template([nightly(BATCH)], parts=PART)
    found = allowed(made, "RunnerRole")
    assert found["states:StartExecution"] == {OWN, MACHINE}
    assert found["states:DescribeExecution"] == found["states:StopExecution"] == {OWN_RUNS}
    assert {action for action in found if action.startswith("events:")}  # the rule of .sync
    states = made["Resources"]["Runner"]["Properties"]["Definition"]["States"]
    assert {"states:startExecution.sync:2", "states:startExecution"} <= states.keys()
    assert template([ss.WorkflowTarget("nightly"), BATCH], parts=PART) == template([BATCH], parts=PART)


def test_schedules_of_the_group_may_start_them_too() -> None:
    made = template([FUNCTION], parts=[Part.WORKFLOWS, Part.GROUP])
    assert allowed(made, "SchedulerRole") == {
        "lambda:InvokeFunction": {LAMBDA},
        "states:StartExecution": {MACHINE},
    }


def test_a_role_of_the_user_s_own_needs_the_same() -> None:
    targets: list[Target | ss.Workflow] = [nightly(BATCH, FUNCTION), ss.WorkflowTarget("nightly"), INBOX]
    policy = runner_policy(targets, table_arn=TABLE, state_machine_arn=OWN, workflows_arn=MACHINE)
    found = statements(template(targets, parts=PART), "RunnerRole")
    for each in (*policy["Statement"], *found):
        each["Resource"].sort()  # the order is that of placeholders
    assert policy["Statement"] == found
    with pytest.raises(ValueError, match=r"targets\[0\]: a Workflow needs the machine.*use workflows_arn="):
        runner_policy(targets, table_arn=TABLE, state_machine_arn=OWN)
    elsewhere = MACHINE.replace("eu-west-1", "eu-north-1")
    with pytest.raises(ValueError, match="expected workflows_arn and state_machine_arn in one account and"):
        runner_policy([], table_arn=TABLE, state_machine_arn=OWN, workflows_arn=elsewhere)


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [nightly(BATCH), ss.WorkflowTarget("nightly")], ids=["value", "target"])
def test_a_workflow_needs_the_part(target: Any) -> None:
    with pytest.raises(ValueError, match=r"targets\[1\]: a Workflow.* needs .*use parts=\['workflows'\]"):
        template([FUNCTION, target])


def test_a_workflow_alone_is_not_a_list() -> None:
    alone: Any = nightly(BATCH)
    with pytest.raises(TypeError, match="expected targets to be a list, got one Workflow"):
        template(alone, parts=PART)


def test_a_step_that_aws_cannot_run_is_named() -> None:
    mixed = nightly(BATCH, ss.CommandTarget(["true"]))
    with pytest.raises(ValueError, match=r"targets\[0\] \(step 's1'\): AWS cannot invoke a command"):
        template([mixed], parts=PART)
    far = ss.QueueTarget(QUEUE.replace("eu-west-1", "eu-north-1"))
    with pytest.raises(ValueError, match=r"in one Region, got targets\[0\] \(step 's\d'\) in"):
        template([nightly(BATCH, far)], parts=PART)


@pytest.mark.parametrize("parts", [[Part.WORKFLOWS], [Part.REGISTER], [Part.ALARMS], []])
def test_the_name_of_a_stack_that_is_too_long_for_its_machines_is_refused_before_any_call(
    parts: list[Part],
) -> None:
    most = max_stack_name(parts)
    cloud = FakeCloud()
    assert plan("s" * most, template([INBOX], parts=parts), session=cloud.session()).is_new
    with pytest.raises(ValueError, match=f"expected .*{most}|1 to 80 characters"):
        plan("s" * (most + 1), template([INBOX], parts=parts))
    if parts:
        prefixed = template([INBOX], parts=parts, prefix="blue")
        assert plan("t" * 80, prefixed, session=cloud.session()).is_new


# -- the stack -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [None, "blue"])
def test_a_client_finds_the_machine_in_its_stack(prefix: str | None) -> None:
    cloud = FakeCloud()
    cloud.add_stack("jobs", template([BATCH], parts=PART, prefix=prefix))
    cloud.add_stack("plain", template([BATCH]))
    before = "" if prefix is None else "Blue"
    names = {"state_machine_output": f"{before}StateMachineArn", "table_output": f"{before}TableName"}
    with ss.WorkflowClient.from_stack("jobs", session=cloud.session(), **names) as flows:
        assert isinstance(flows.backend, ss.StepFunctionsBackend)
        assert str(flows.backend.workflows_arn).endswith(":stateMachine:jobs-workflows")
    with pytest.raises(ss.UnsupportedError, match="WorkflowsArn"):
        ss.WorkflowClient.from_stack("plain", session=cloud.session())


def test_a_stack_in_which_a_workflow_runs_is_destroyed_only_by_force() -> None:
    cloud = FakeCloud()
    on: dict[str, Any] = {"session": cloud.session()}
    stack = cloud.add_stack("jobs", template([BATCH], parts=PART))
    runs = stack.outputs["WorkflowsArn"].replace(":stateMachine:", ":execution:")
    cloud.running = [f"{runs}:nightly-1", f"{runs}:nightly-2"]
    with pytest.raises(ss.BackendError, match="holds 2 running executions") as held:
        destroy("jobs", progress=False, **on)
    assert held.value.code == ErrorCode.JOBS_WAITING
    assert destroy("jobs", progress=False, force=True, **on).paused_jobs == ()
    assert cloud.running == []


# -- the application and who deploys -------------------------------------------------------------------


def test_the_client_s_policy_grows_by_the_workflows() -> None:
    plain, grown = (
        {
            (action, resource)
            for each in client_policy(table_arn=TABLE, state_machine_arn=OWN, workflows_arn=arn)["Statement"]
            for action in each["Action"]
            for resource in each["Resource"]
        }
        for arn in (None, MACHINE)
    )
    assert plain < grown
    assert grown - plain == {
        ("dynamodb:ConditionCheckItem", TABLE),
        ("states:StartExecution", MACHINE),
        ("states:DescribeExecution", OWN_RUNS),
        ("states:StopExecution", OWN_RUNS),
        ("batch:TerminateJob", JOBS),
        ("batch:ListJobs", "*"),
    }


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        pytest.param("jobs-workflows", "is not an ARN", id="name"),
        pytest.param(f"{MACHINE}:live", "stateMachine:<name>", id="alias"),
        pytest.param(TABLE, "is of service 'dynamodb'", id="table"),
        pytest.param(MACHINE.replace(ACCOUNT, "210987654321"), "in one account and Region", id="account"),
    ],
)
def test_a_wrong_arn_of_the_machine_is_refused(arn: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        client_policy(table_arn=TABLE, state_machine_arn=OWN, workflows_arn=arn)


def test_who_deploys_may_make_the_machine_and_pass_its_role() -> None:
    made = template([nightly(BATCH)], parts=PART)
    policy = deployer_policy(made, stack_name="jobs", account=ACCOUNT, region="eu-west-1")
    by_sid = {each["Sid"]: each for each in policy["Statement"]}
    assert by_sid["StepFunctionsStateMachine"]["Resource"] == [OWN, MACHINE]
    assert by_sid["StepFunctionsExecution"]["Resource"] == [OWN_RUNS, RUNS]
    role = f"arn:aws:iam::{ACCOUNT}:role/jobs-WorkflowsRole-*"
    assert role in by_sid["PassRoleToStates"]["Resource"]
