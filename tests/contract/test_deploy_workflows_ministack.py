"""Stacks with workflows, made by the CloudFormation of an emulator, whose AWS Batch runs processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.deploy import Part, apply, client_policy, destroy, plan, template
from stepsched.errors import BackendError, ErrorCode
from stepsched.testing import FakeClock
from stepsched.workflows import StepStatus, WorkflowRun, WorkflowRunStatus
from tests.contract.deployed import Deployed
from tests.contract.test_stepfunctions_scale import RecordingSession
from tests.parts.batch import Batch, Place, shell, when
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import clients

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MANY = 200
"""More moves of the clock than any of these runs needs."""


class Account(Deployed):
    """An account with a place for Batch jobs."""

    batch: Batch
    place: Place

    @property
    def on(self) -> dict[str, Any]:
        """Where ``stepsched.deploy`` works."""
        return {"session": self.session(), "endpoint_url": self.server.endpoint_url}

    def deploy(self, *given: ss.Target | ss.Workflow, parts: list[Part], **more: Any) -> dict[str, str]:
        """Makes the stack ``jobs`` that of a template by a change set, and returns its outputs."""
        made = plan("jobs", template(given, parts=parts, **more), **self.on)
        done = apply(made, progress=False, **self.on)
        self.machine_arn = done.outputs["StateMachineArn"]
        return dict(done.outputs)

    def workflows(self) -> ss.WorkflowClient:
        return ss.WorkflowClient.from_stack("jobs", clock=self.clock, workers=4, **self.on)

    def step(self, name: str, command: list[str], **more: Any) -> ss.Step:
        """A step whose Batch job runs a command."""
        target = ss.targets.BatchTarget(
            self.place.definition,
            job_queue=self.place.queue,
            container_overrides={"Command": [*command]},
        )
        return ss.Step(name, target=target, **more)

    def failures(self) -> list[str]:
        """Why executions of the workflows have failed."""
        arn = f"{self.machine_arn}-workflows"
        found = self.states.list_executions(stateMachineArn=arn)["executions"]
        ended = [self.states.describe_execution(executionArn=each["executionArn"]) for each in found]
        return [f"{each['status']} {each.get('error')}: {each.get('cause')}" for each in ended]

    def wait(
        self, flows: ss.WorkflowClient, run: WorkflowRun, *, waits_for: str | None = None
    ) -> WorkflowRun:
        """Moves the clock until a run has ended, or a step of it runs."""
        found = flows.status(run)
        for _ in range(MANY):
            wakes = self.server.settled(self.account)
            found = flows.status(run)
            if found.status.has_ended:
                return found
            if waits_for is None:
                self.batch.settle(self.account)
            elif found.by_name[waits_for].status is StepStatus.RUNNING:
                return found
            if not wakes:
                raise AssertionError(f"{found} goes on, and nothing runs: {self.failures()}")
            self.move(max(wakes[0], self.clock.now()))
        raise AssertionError(f"{found} goes on")


@pytest.fixture
def there(batch_cloud: BatchCloud, batch_account: str) -> Iterator[Account]:
    with clients(batch_cloud.ministack, batch_account) as aws:
        account = Account(batch_cloud.ministack, batch_account, aws, FakeClock(MONDAY))
        account.batch = batch_cloud.batch
        account.place = batch_cloud.batch.make_place(batch_account)
        yield account


def statuses(run: WorkflowRun) -> dict[str, StepStatus]:
    return {step.name: step.status for step in run.steps}


def test_a_workflow_runs_in_the_stack_while_the_stack_changes_and_its_history_outlives_it(
    there: Account, tmp_path: Path
) -> None:
    gate = tmp_path / "go on"
    extract = there.step("extract", when(gate))
    load = there.step("load", shell("exit 0"), needs=[extract])
    tell = ss.Step("tell", target=there.inbox, needs=[load], input={"job": "tell"})
    flow = ss.Workflow("nightly", steps=[extract, load, tell])
    table: str | None = None
    for turn in (1, 2):
        gate.unlink(missing_ok=True)
        given = table  # the second stack uses the table of the first
        outputs = there.deploy(flow, parts=[Part.WORKFLOWS], table_name=given)
        table = outputs["TableName"]
        assert outputs["WorkflowsArn"].endswith(":stateMachine:jobs-workflows")
        with there.workflows() as flows:
            flows.put(flow)
            run = there.wait(flows, flows.start("nightly"), waits_for="extract")
            assert statuses(run)["load"] is not StepStatus.SUCCEEDED
            with pytest.raises(BackendError) as held:
                destroy("jobs", progress=False, **there.on)
            assert held.value.code == ErrorCode.JOBS_WAITING
            assert "running execution" in held.value.detail

            more = there.slow(MINUTE, name=f"slow-{turn}")
            grown = there.deploy(flow, more, parts=[Part.WORKFLOWS, Part.ALARMS], table_name=given)
            assert grown.items() >= outputs.items()
            gate.touch()
            run = there.wait(flows, run)
            assert set(statuses(run).values()) == {StepStatus.SUCCEEDED}, run
            assert run.status is WorkflowRunStatus.SUCCEEDED
            assert len(list(flows.runs("nightly"))) == turn
        assert there.calls_of() == ["tell"]
        assert set(there.batch.submitted(there.account).values()) == {1}
        assert len(there.batch.submitted(there.account)) == 2 * turn
        gone = destroy("jobs", progress=False, **there.on)
        assert gone.kept_tables == ((table,) if given is None else ())  # it is not of the second stack
        machines = there.states.list_state_machines()["stateMachines"]
        assert [each["name"] for each in machines if each["name"].startswith("jobs")] == []
    assert there.dynamodb.scan(TableName=table)["Count"] > 0


def test_a_job_of_the_stack_runs_a_workflow_that_is_restarted_where_it_failed(
    there: Account, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    first = there.step("first", shell("exit 0"))
    second = there.step("second", shell(f"test -e {mended}"), needs=[first])
    flow = ss.Workflow("nightly", steps=[first, second])
    there.deploy(flow, parts=[Part.WORKFLOWS])
    with there.workflows() as flows, there.client("jobs") as client:
        flows.put(flow)
        client.create(
            ss.Job(
                name="every night",
                schedule=ss.OneTime(MONDAY + HOUR),
                target=ss.WorkflowTarget("nightly"),
                retry=ss.Retry(max_attempts=1, interval=HOUR, max_age=24 * HOUR),
            )
        )
        there.move(MONDAY + HOUR)
        there.server.settled(there.account)
        run = flows.status("nightly")
        assert there.wait(flows, run).status is WorkflowRunStatus.FAILED
        mended.touch()
        there.play(MONDAY + 3 * HOUR)
        there.batch.settle(there.account)
        there.play(MONDAY + 4 * HOUR)
        ended = flows.status(run)
        assert ended.status is WorkflowRunStatus.SUCCEEDED, ended
        assert ended.restarts == 1
        assert [each.id for each in flows.runs("nightly")] == [run.id]
        (job_run,) = client.runs("every night")
        assert job_run.status is ss.RunStatus.SUCCEEDED
    ran = there.batch.ran(there.account)
    assert sorted(ran.values()) == [1, 1, 1]  # the first step once, the second twice under two names


def test_a_stack_in_which_a_workflow_runs_is_destroyed_only_by_force(there: Account, tmp_path: Path) -> None:
    flow = ss.Workflow("nightly", steps=[there.step("extract", when(tmp_path / "never"))])
    outputs = there.deploy(flow, parts=[Part.WORKFLOWS])
    with there.workflows() as flows:
        flows.put(flow)
        there.wait(flows, flows.start("nightly"), waits_for="extract")
    with pytest.raises(BackendError, match="1 running execution"):
        destroy("jobs", progress=False, **there.on)
    assert destroy("jobs", force=True, progress=False, **there.on).kept_tables == (outputs["TableName"],)
    (tmp_path / "never").touch()
    there.batch.settle(there.account)


def test_the_policy_of_a_client_allows_what_workflows_ask_and_nothing_else(
    there: Account, tmp_path: Path
) -> None:
    gate = tmp_path / "go on"
    flow = ss.Workflow(
        "nightly",
        steps=[
            there.step("extract", when(gate)),
            there.step("load", shell("exit 1"), needs=["extract"]),
            ss.Step("tell", target=there.slow(MINUTE)),
        ],
    )
    outputs = there.deploy(flow, parts=[Part.WORKFLOWS])
    session = RecordingSession(there.session())
    given = {"session": session, "endpoint_url": there.server.endpoint_url, "clock": there.clock}
    with ss.WorkflowClient.from_stack("jobs", **given) as flows:
        flows.put(flow)
        flows.get("nightly")
        flows.list()
        first = there.wait(flows, flows.start("nightly"), waits_for="extract")
        flows.cancel(first)
        second = there.wait(flows, flows.start("nightly"), waits_for="extract")
        flows.skip(second, "extract")
        failed = there.wait(flows, second)
        assert failed.status is WorkflowRunStatus.FAILED
        flows.plan_restart(failed)
        again = flows.restart(failed, from_=["extract"])
        there.wait(flows, again, waits_for="extract")
        (driver,) = there.states.list_executions(
            stateMachineArn=outputs["WorkflowsArn"], statusFilter="RUNNING"
        )["executions"]
        there.states.stop_execution(executionArn=driver["executionArn"])
        there.server.settled(there.account)
        flows.repair()
        flows.cancel(again)
        flows.runs()
        there.batch.refuse(there.account, "SubmitJob")
        doubtful = flows.start("nightly")
        there.server.settled(there.account)
        flows.cancel(doubtful)  # whether its job was submitted is not known
    policies = [
        {
            action
            for each in client_policy(
                table_arn=outputs["TableArn"],
                state_machine_arn=outputs["StateMachineArn"],
                workflows_arn=arn,
            )["Statement"]
            for action in each["Action"]
        }
        for arn in (None, outputs["WorkflowsArn"])
    ]
    written = {f"{service.replace('stepfunctions', 'states')}:{name}" for service, name in session.calls}
    assert "dynamodb:TransactWriteItems" in written
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    transactions = {f"dynamodb:{name}Item" for name in ("Put", "Update", "Delete", "ConditionCheck")}
    found = "cloudformation:DescribeStacks"
    asked = (written - {"dynamodb:TransactWriteItems", found}) | transactions
    assert asked <= policies[1], asked - policies[1]
    assert policies[1] - policies[0] <= asked


DOCS = (Path(__file__).parents[2] / "docs" / "deploy-parts.md").read_text("utf-8")


def transitions(of: str) -> int:
    """What the documentation says of the state transitions of a part of a run."""
    (found,) = re.findall(rf"^\| {of}.* \| (\d+)\b.*\|$", DOCS, flags=re.MULTILINE)
    return int(found)


def test_a_run_makes_as_many_transitions_as_the_documentation_says(there: Account, tmp_path: Path) -> None:
    gate = tmp_path / "go on"
    steps = [there.step(f"s{number}", when(gate)) for number in range(8)]
    others = [ss.Step(f"q{number}", target=there.inbox) for number in range(4)]
    flow = ss.Workflow("nightly", steps=[*steps, *others])
    there.deploy(flow, parts=[Part.WORKFLOWS])
    with there.workflows() as flows:
        flows.put(flow)
        run = there.wait(flows, flows.start("nightly"), waits_for="s0")
        for _ in range(12):
            there.move(there.server.settled(there.account)[0])
        gate.touch()
        assert there.wait(flows, run).status is WorkflowRunStatus.SUCCEEDED
    arn = f"{there.machine_arn}-workflows"
    (only,) = there.states.list_executions(stateMachineArn=arn)["executions"]
    asked = {"executionArn": only["executionArn"], "maxResults": 1000}
    events = there.states.get_execution_history(**asked)["events"]
    entered = [
        each["stateEnteredEventDetails"]["name"] for each in events if each["type"].endswith("StateEntered")
    ]
    looks = entered.count("Wait")
    assert looks >= 12
    expected = (
        transitions("the run")
        + len(steps) * transitions("each step on AWS Batch")
        + len(others) * transitions("each other step")
        + looks * transitions("each look")
    )
    assert abs(len(entered) - expected) < expected / 10
