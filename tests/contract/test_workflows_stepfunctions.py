"""StepFunctionsBackend keeps the contract of workflows, on an emulator of Step Functions and DynamoDB."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import count
from random import Random
from typing import Any

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.backends.stepfunctions.workflows.jobs import run_id_of
from stepsched.core.clock import SystemClock
from stepsched.testing.contract.workflows import *
from stepsched.testing.contract.workflows.lab import Fail, Hold, Ok, Outcome, WorkflowLab, statuses
from stepsched.workflows import WorkflowRun, WorkflowRunStatus
from tests.contract.test_stepfunctions_crashes import Faulty, StoppedError
from tests.contract.workflow_runs import PATIENCE, TABLE, Flows
from tests.contract.workflow_steps import LAB, creation, machine_of
from tests.parts.batch_cloud import BatchCloud
from tests.parts.ministack import REGION, clients
from tests.parts.state_machines import ROLE
from tests.sessions import new_session

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
IN_THE_GATE = frozenset(
    {
        "TestOrder::test_a_step_starts_after_all_that_it_needs",
        "TestOrder::test_a_fast_branch_does_not_wait_for_a_slow_one",
        "TestInputs::test_an_output_is_the_input_of_another_step",
        "TestInputs::test_what_an_output_lacks_fails_the_step_that_wants_it",
        "TestConditions::test_two_branches_of_a_decision",
        "TestWhen::test_failed_runs_after_a_failure",
        "TestFailures::test_continue_finishes_what_can_be_finished",
        "TestFailures::test_stop_starts_no_further_step",
        "TestFailures::test_a_step_is_retried",
        "TestFailures::test_a_step_that_takes_too_long_is_ended_and_fails",
        "TestSkip::test_a_running_step_is_skipped_and_its_outcome_does_not_count",
        "TestCancel::test_nothing_starts_any_more",
        "TestDefinitions::test_a_changed_workflow_is_the_next_version",
        "TestRestart::test_what_has_succeeded_is_not_run_again",
        "TestRestart::test_from_runs_a_step_and_all_below_again",
        "TestRestart::test_what_still_runs_is_awaited_and_not_doubled",
        "TestRestart::test_a_restart_can_follow_a_changed_definition",
        "TestRestartInputs::test_a_restart_can_have_another_input",
        "TestRuns::test_an_id_makes_the_start_repeatable",
    }
)
"""The tests of the contract that the gate runs, some of each area; the others are proofs."""


class EmulatorLab(WorkflowLab):
    """Steps are state machines that a table scripts and counts."""

    def __init__(self, flows: Flows) -> None:
        super().__init__()
        self.flows = flows
        flows.dynamodb.create_table(**creation())
        self.session = new_session(
            aws_access_key_id=flows.account, aws_secret_access_key="test", region_name=REGION
        )
        self.backend = self.make_backend(self.session)
        self._made = 0

    def make_backend(self, session: Any) -> ss.StepFunctionsBackend:
        return ss.StepFunctionsBackend(
            state_machine_arn=self.flows.runner_arn,
            table_name=TABLE,
            workflows_arn=self.flows.driver_arn,
            session=session,
            endpoint_url=self.flows.cloud.ministack.endpoint_url,
            workers=1,
        )

    @property
    def began(self) -> list[tuple[str, JsonValue]]:
        items = self.flows.dynamodb.scan(TableName=LAB, ConsistentRead=True)["Items"]
        began = [item for item in items if item["what"]["S"].startswith("began#")]
        began.sort(key=lambda item: (item["at"]["S"], item["what"]["S"]))
        return [(item["step"]["S"], json.loads(item["input"]["S"])) for item in began]

    @began.setter
    def began(self, value: Any) -> None:
        """The attempts are in the table."""

    def target(self, name: str, outcomes: tuple[Outcome, ...]) -> ss.Target:
        self._made += 1
        made = self.flows.states.create_state_machine(
            name=f"step-{self._made}", definition=machine_of(name, outcomes), roleArn=ROLE
        )
        return ss.StateMachineTarget(made["stateMachineArn"])

    def endless(self) -> ss.Target:
        return self.target("endless", (Hold(),))

    def release(self, name: str) -> None:
        item = {"step": {"S": name}, "what": {"S": "released"}}
        self.flows.dynamodb.put_item(TableName=LAB, Item=item)

    def until(self, run: WorkflowRun, is_so: Callable[[WorkflowRun], bool]) -> WorkflowRun:
        clock = SystemClock()
        late = clock.monotonic() + PATIENCE
        while not is_so(present := self.client.status(run)):
            assert clock.monotonic() < late, f"it has not become so:\n{present}"
            threading.Event().wait(0.05)
        return present


@pytest.fixture
def lab(batch_cloud: BatchCloud, batch_account: str) -> Iterator[EmulatorLab]:
    with clients(batch_cloud.ministack, batch_account) as client:
        lab = EmulatorLab(Flows(batch_cloud, batch_account, client))
        yield lab
        lab.backend.close()


def test_every_test_that_the_gate_names_exists() -> None:
    for name in IN_THE_GATE:
        group, _, test = name.partition("::")
        assert callable(getattr(globals()[group], test))


# -- the machine and the client together ----------------------------------------------------------------


def drivers(lab: EmulatorLab) -> list[str]:
    """The ARNs of the running executions of the machine of workflows."""
    found = lab.flows.states.list_executions(
        stateMachineArn=lab.flows.driver_arn, statusFilter="RUNNING", maxResults=100
    )
    return [each["executionArn"] for each in found["executions"]]


def test_a_driver_that_is_stopped_at_random_moments_is_replaced_and_no_step_runs_twice(
    lab: EmulatorLab,
) -> None:
    moments, waits, stopped = Random(7), threading.Event(), 0
    names = [f"s{number}" for number in range(8)]
    steps = [lab.step(name, needs=names[max(0, at - 1) : at]) for at, name in enumerate(names)]
    run = lab.client.start(lab.flow(*steps))
    while stopped < 12 and not lab.client.status(run).status.has_ended:
        waits.wait(moments.random())
        for arn in drivers(lab):
            lab.flows.states.stop_execution(executionArn=arn)
            stopped += 1
        lab.client.repair()
    ended = lab.settle(run)
    assert stopped >= 4, "it was stopped while steps ran"
    assert (ended.status.value, set(statuses(ended).values())) == ("succeeded", {"succeeded"})
    assert lab.calls == names


def test_a_cancelled_run_starts_nothing_more_although_its_driver_goes_on(lab: EmulatorLab) -> None:
    steps = [lab.step("a", Hold()), lab.step("b", needs=["a"])]
    run = lab.until_running(lab.client.start(lab.flow(*steps)), "a")
    ended = lab.client.cancel(run)
    assert statuses(ended) == {"a": "cancelled", "b": "cancelled"}
    lab.release("a")
    assert (lab.calls, lab.client.repair(), drivers(lab)) == (["a"], [], [])


def test_a_job_runs_a_workflow_and_a_further_attempt_restarts_it_where_it_failed(lab: EmulatorLab) -> None:
    """The run of the job fails with that of the workflow; its redrive runs only what has failed."""
    lab.client.put(lab.flow(lab.step("a"), lab.step("b", Fail(), Ok(), needs=["a"])))
    client = ss.SchedulerClient(lab.backend)
    client.create(
        ss.Job(
            name="each night",
            schedule=ss.Rate(timedelta(days=1), start="2040-01-01T00:00:00Z"),
            target=ss.WorkflowTarget(lab.name),
            overlap=ss.Overlap.SKIP,
            input={"date": "2030-01-01"},
            retry=ss.Retry(max_attempts=0),
        )
    )
    failed = client.wait(client.run_now("each night"), timeout=PATIENCE)
    assert (failed.status.value, lab.calls) == ("failed", ["a", "b"])
    (run,) = lab.client.runs(lab.name)
    assert (run.status.value, run.input) == ("failed", {"date": "2030-01-01"})
    assert run.trigger.value == "schedule"
    redriven = client.wait(client.redrive(failed), timeout=PATIENCE)
    assert (redriven.status.value, lab.calls) == ("succeeded", ["a", "b", "b"])
    (again,) = lab.client.runs(lab.name)
    assert (again.id, again.status.value, again.restarts) == (run.id, "succeeded", 1)
    assert [record.name for record in client.list()] == ["each night"]
    assert client.repair() == []


def test_a_driver_that_waits_for_another_does_not_count_as_one(lab: EmulatorLab) -> None:
    """The execution that a job waits for was replaced by one that somebody has started, and then stopped."""
    run = lab.until_running(lab.client.start(lab.flow(lab.step("a", Hold()))), "a")
    (first,) = drivers(lab)
    second = lab.flows.begin({"workflow": run.workflow, "run": run.id})
    lab.flows.until_entered(first, "Await")
    lab.flows.states.stop_execution(executionArn=second)
    (repair,) = lab.client.repair()
    assert repair.job == run.key
    assert lab.client.repair() == []
    lab.release("a")
    assert lab.settle(run).status.value == "succeeded"
    assert lab.flows.end_of(first)["output"]["status"] == "succeeded"
    assert lab.calls == ["a"]


def test_a_repair_tells_the_end_of_a_run_that_nobody_was_told(lab: EmulatorLab) -> None:
    run = lab.settle(lab.client.start(lab.flow(lab.step("a"), notify=lab.flows.topic("told"))))
    lab.flows.end_of(str(run.job_id))
    assert (len(lab.flows.received("told")), lab.client.repair()) == (1, [])
    lab.flows.change_run(run.workflow, run.id, notice="due")
    (repair,) = lab.client.repair()
    assert "may not have been told" in repair.detail
    for arn in drivers(lab):
        lab.flows.end_of(arn)
    assert (len(lab.flows.received("told")), lab.client.repair()) == (1, [])


def test_each_attempt_of_a_job_goes_on_with_the_same_run(lab: EmulatorLab) -> None:
    """Its retry, and then a redrive of what the retries left failed."""
    lab.client.put(lab.flow(lab.step("a"), lab.step("b", Fail(), Fail(), Ok(), needs=["a"])))
    client = ss.SchedulerClient(lab.backend)
    client.create(
        ss.Job(
            name="each night",
            schedule=ss.Rate(timedelta(days=1), start="2040-01-01T00:00:00Z"),
            target=ss.WorkflowTarget(lab.name),
            overlap=ss.Overlap.SKIP,  # otherwise the machine only starts what it runs
            retry=ss.Retry(max_attempts=1, interval=timedelta(seconds=10)),
        )
    )
    failed = client.wait(client.run_now("each night"), timeout=PATIENCE)
    assert (failed.status.value, lab.calls) == ("failed", ["a", "b", "b"])
    redriven = client.wait(client.redrive(failed), timeout=PATIENCE)
    assert (redriven.status.value, lab.calls) == ("succeeded", ["a", "b", "b", "b"])
    (run,) = lab.client.runs(lab.name)
    assert (run.status.value, run.restarts) == ("succeeded", 2)


def test_the_run_of_a_job_ends_with_its_workflow_although_another_driver_takes_over(
    lab: EmulatorLab,
) -> None:
    lab.client.put(lab.flow(lab.step("a", Hold(Fail()))))
    client = ss.SchedulerClient(lab.backend)
    client.create(
        ss.Job(
            name="each night",
            schedule=ss.Rate(timedelta(days=1), start="2040-01-01T00:00:00Z"),
            target=ss.WorkflowTarget(lab.name),
            overlap=ss.Overlap.SKIP,
            retry=ss.Retry(max_attempts=0),
        )
    )
    started = client.run_now("each night")
    while not (runs := lab.client.runs(lab.name)):
        pass
    run = lab.until_running(runs[0], "a")
    lab.flows.begin({"workflow": run.workflow, "run": run.id})
    (first,) = (arn for arn in drivers(lab) if arn == run.job_id)
    lab.flows.until_entered(first, "Await")
    lab.release("a")
    assert client.wait(started, timeout=PATIENCE).status.value == "failed"


def job_of(lab: EmulatorLab, **changes: Any) -> ss.Job:
    """A job that starts the workflow of the test."""
    fields: dict[str, Any] = {
        "name": "each night",
        "schedule": ss.Rate(timedelta(days=1), start="2040-01-01T00:00:00Z"),
        "target": ss.WorkflowTarget(lab.name),
        "overlap": ss.Overlap.SKIP,
        "retry": ss.Retry(max_attempts=0),
    }
    return ss.Job(**(fields | changes))


def ended_job_run(lab: EmulatorLab, run: ss.Run) -> ss.Run:
    return ss.SchedulerClient(lab.backend).wait(run, timeout=PATIENCE)


def test_runs_of_one_second_run_the_workflow_once_each(lab: EmulatorLab) -> None:
    lab.client.put(lab.flow(lab.step("a")))
    client = ss.SchedulerClient(lab.backend)
    client.create(job_of(lab, overlap=ss.Overlap.ALLOW))
    started = [client.run_now("each night") for _ in range(3)]
    assert [ended_job_run(lab, run).status.value for run in started] == ["succeeded"] * 3
    until(lambda: len(lab.client.runs(lab.name)) == 3)
    assert [lab.settle(run).status.value for run in lab.client.runs(lab.name)] == ["succeeded"] * 3
    assert lab.calls == ["a"] * 3
    keys = [item["version"]["S"] for item in rows_of_job(lab) if item["version"]["S"].startswith("run#")]
    assert {run.id for run in lab.client.runs(lab.name)} == {run_id_of("each night", key) for key in keys}


def until(is_so: Callable[[], bool]) -> None:
    clock = SystemClock()
    late = clock.monotonic() + PATIENCE
    while not is_so():
        assert clock.monotonic() < late, "it has not become so"
        threading.Event().wait(0.05)


def rows_of_job(lab: EmulatorLab) -> list[dict[str, Any]]:
    named = {"ExpressionAttributeNames": {"#name": "name"}, "KeyConditionExpression": "#name = :name"}
    found: list[dict[str, Any]] = lab.flows.dynamodb.query(
        TableName=TABLE,
        ConsistentRead=True,
        ExpressionAttributeValues={":name": {"S": "each night"}},
        **named,
    )["Items"]
    return found


@pytest.mark.parametrize("verb", [pytest.param("pause", marks=pytest.mark.proof), "cancel"])
def test_a_stopped_run_of_a_job_cancels_its_workflow(lab: EmulatorLab, verb: str) -> None:
    lab.client.put(lab.flow(lab.step("a", Hold()), lab.step("b", needs=["a"])))
    client = ss.SchedulerClient(lab.backend)
    client.create(job_of(lab))
    run = client.run_now("each night")
    (flow,) = until_it_runs(lab, "a")
    getattr(client, verb)("each night", stop_run=True)
    assert statuses(lab.client.status(flow)) == {"a": "cancelled", "b": "cancelled"}
    assert lab.client.status(flow).status.value == "cancelled"
    assert client.backend.run(run).status.value == "failed"  # type: ignore[union-attr]
    assert (lab.client.repair(), client.repair(), drivers(lab)) == ([], [], [])
    lab.release("a")
    assert lab.calls == ["a"]


def until_it_runs(lab: EmulatorLab, step: str) -> list[WorkflowRun]:
    """The runs of the workflow, of which the job starts the first, when the step has begun."""
    until(lambda: step in lab.calls)
    return lab.client.runs(lab.name)


def test_a_further_attempt_of_a_job_does_not_restart_what_an_operator_has_cancelled(lab: EmulatorLab) -> None:
    lab.client.put(lab.flow(lab.step("a", Hold())))
    client = ss.SchedulerClient(lab.backend)
    client.create(job_of(lab, retry=ss.Retry(max_attempts=1, interval=timedelta(seconds=1))))
    run = client.run_now("each night")
    (flow,) = until_it_runs(lab, "a")
    lab.client.cancel(flow)
    failed = ended_job_run(lab, run)
    assert (failed.status.value, failed.attempt, lab.calls) == ("failed", 2, ["a"])
    assert lab.client.status(flow).status.value == "cancelled"
    client.redrive(failed)
    lab.release("a")
    assert ended_job_run(lab, failed).status.value == "succeeded"
    assert (lab.calls, lab.client.status(flow).restarts) == (["a", "a"], 1)


VERBS: dict[str, Callable[[ss.WorkflowClient, WorkflowRun], object]] = {
    "start": lambda flows, run: flows.start(run.workflow, run_id=run.id),
    "restart": lambda flows, run: flows.restart(run.key),
    "skip": lambda flows, run: flows.skip(run.key, run.steps[1].name),
    "cancel": lambda flows, run: flows.cancel(run.key),
}
ENDS = {
    "start": (["succeeded", "failed"], 1),
    "restart": (["succeeded", "succeeded"], 2),
    "skip": (["succeeded", "skipped"], 1),
    "cancel": (["succeeded", "cancelled"], 1),
}
"""The statuses of both steps in the end, and the number of attempts of the second one."""


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("sends", [pytest.param(False, id="before"), pytest.param(True, id="after")])
@pytest.mark.parametrize("verb", VERBS)
def test_a_client_that_stops_at_any_call_is_followed_by_one_that_goes_on(
    lab: EmulatorLab, verb: str, sends: bool
) -> None:
    """As the test of the same name without the machine, with the machine itself."""
    faults = Faulty(lab.session)
    for number in count(1):
        second = (Hold(),) if verb in ("skip", "cancel") else (Fail(), Ok())
        flow = lab.flow(lab.step(f"a{number}"), lab.step(f"b{number}", *second, needs=[f"a{number}"]))
        lab.client.put(flow)
        run_id = f"run-{number}"
        if verb == "start":
            run = WorkflowRun(
                workflow=flow.name,
                id=run_id,
                status=WorkflowRunStatus.RUNNING,
                version=number,
                started_at=NOON,
            )
        else:
            run = lab.client.start(flow.name, run_id=run_id)
            run = lab.settle(run) if verb == "restart" else lab.until_running(run, f"b{number}")
        faulty = ss.WorkflowClient(lab.make_backend(faults))
        faults.stop_at(number, sends=sends)
        try:
            VERBS[verb](faulty, run)
        except StoppedError:
            stopped = True
        else:
            stopped = False
        faults.stop_at(None)
        if stopped:
            VERBS[verb](lab.client, run)
        ended = lab.settle(run)
        wanted, attempts = ENDS[verb]
        assert list(statuses(ended).values()) == wanted, number
        assert (lab.calls.count(f"a{number}"), lab.calls.count(f"b{number}")) == (1, attempts), number
        if not stopped:
            break
    assert number > 5, "every call was met"


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("sends", [pytest.param(False, id="before"), pytest.param(True, id="after")])
def test_a_client_that_stops_while_it_stops_a_run_of_a_job_is_followed_by_one_that_goes_on(
    lab: EmulatorLab, sends: bool
) -> None:
    faults, client = Faulty(lab.session), ss.SchedulerClient(lab.backend)
    for number in count(1):
        name = f"job {number}"
        lab.client.put(lab.flow(lab.step(f"a{number}", Hold()), lab.step("b", needs=[f"a{number}"])))
        client.create(job_of(lab, name=name))
        run = client.run_now(name)
        until_it_runs(lab, f"a{number}")
        faulty = ss.SchedulerClient(lab.make_backend(faults))
        faults.stop_at(number, sends=sends)
        try:
            faulty.pause(name, stop_run=True)
        except StoppedError:
            stopped = True
        else:
            stopped = False
        faults.stop_at(None)
        if stopped:
            client.pause(name, stop_run=True)
        assert ended_job_run(lab, run).status.value == "failed", number
        lab.client.repair()  # finishes an interrupted cancellation
        assert {each.status.value for each in lab.client.runs(lab.name)} == {"cancelled"}, number
        assert (lab.client.repair(), drivers(lab)) == ([], []), number
        if not stopped:
            break
    assert number > 5, "every call was met"
    assert "b" not in lab.calls
