"""Tests the workflows of StepFunctionsBackend: definitions, runs, restarts, skips and cancellations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions.workflows.jobs import run_id_of
from stepsched.core.errors import (
    BackendError,
    ConflictError,
    RunNotFoundError,
    ScheduleWarning,
    UnsupportedError,
    WorkflowNotFoundError,
)
from stepsched.jobs import Problem, Trigger
from stepsched.jobs.names import distinct
from stepsched.workflows import StepRun, StepStatus, WorkflowRun, WorkflowRunStatus
from stepsched.workflows.port import RunQuery
from stepsched.workflows.restarts import plan_restart
from tests.unit.stepfunctions.workflow_cloud import (
    FUNCTION,
    NOON,
    TABLE,
    Cloud,
    batch,
    cancel,
    change,
    cloud,
    function,
    nightly,
    restart,
    skip,
    start,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with cloud() as found:
        yield found


def statuses(run: WorkflowRun) -> dict[str, str]:
    return {step.name: step.status.value for step in run.steps}


# -- definitions ----------------------------------------------------------------------------------------


def test_a_definition_is_read_back_as_it_was_stored(account: Cloud) -> None:
    store = account.store()
    flow = nightly(input={"date": "2030-01-01"}, description="each night", wait_time=timedelta(seconds=5))
    stored = store.put(flow)
    assert (stored.version, stored.definition, stored.stored_at) == (1, flow, NOON)
    assert account.store().definition("nightly") == stored
    assert [step.name for step in store.definition("nightly").definition.steps] == list(flow.by_name)


def test_an_equal_definition_makes_no_new_version(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    rows = account.rows()
    account.move(MINUTE)
    assert (store.put(nightly()).version, account.rows()) == (1, rows)


def test_a_changed_definition_is_the_next_version_and_the_former_one_stays(account: Cloud) -> None:
    store = account.store()
    former, latter = nightly(), nightly(description="changed")
    assert [store.put(each).version for each in (former, latter, former)] == [1, 2, 3]
    assert [store.definition("nightly", number).definition for number in (1, 2, 3)] == [
        former,
        latter,
        former,
    ]
    assert store.definition("nightly").version == 3


def test_two_writers_never_mix_their_definitions(account: Cloud) -> None:
    """The second writer stores between the steps and the head of the first one."""
    first, second = account.store(), account.backend(session=None).workflows()
    ours, theirs = nightly(description="ours"), nightly(description="theirs")
    real, done = account.session.answers, list[int]()

    def interrupted(**request: Any) -> Any:
        del real["transact_write_items"]
        done.append(second.put(theirs).version)
        return account.dynamodb.transact_write_items(**request)

    real["transact_write_items"] = interrupted
    stored = first.put(ours)
    assert (done, stored.version) == ([1], 2)
    assert [second.definition("nightly", number).definition for number in (1, 2)] == [theirs, ours]


def test_workflows_are_listed_by_name_with_their_latest_definition(account: Cloud) -> None:
    store = account.store()
    for flow in (nightly(), ss.Workflow("a b", steps=[batch("x")]), nightly(description="2")):
        store.put(flow)
    assert [(each.name, each.version) for each in store.definitions()] == [("a b", 1), ("nightly", 2)]


def test_an_unknown_workflow_or_version_is_refused(account: Cloud) -> None:
    store = account.store()
    with pytest.raises(WorkflowNotFoundError) as refused:
        store.definition("nightly")
    assert (refused.value.name, refused.value.version) == ("nightly", None)
    store.put(nightly())
    with pytest.raises(WorkflowNotFoundError) as refused:
        store.definition("nightly", 7)
    assert (refused.value.name, refused.value.version) == ("nightly", 7)


def test_a_step_that_the_machine_cannot_run_is_refused_by_name(account: Cloud) -> None:
    store = account.store()
    local = ss.Workflow("w", steps=[ss.Step("here", target=ss.CommandTarget(["true"]))])
    with pytest.raises(UnsupportedError, match="workflow 'w': step 'here': AWS cannot invoke a command"):
        store.put(local)
    far = function("far").target.replace(function_arn=FUNCTION.replace("eu-west-1", "us-east-1"))
    with pytest.raises(UnsupportedError, match="step 'far': the machine in eu-west-1 cannot invoke"):
        store.check(ss.Workflow("w", steps=[ss.Step("far", target=far)]))
    unknown = ss.ApiTarget("inspector2", "enable", {"ResourceTypes": ["EC2"]})
    with pytest.raises(UnsupportedError, match="step 'api': the machine of this stack cannot call"):
        store.check(ss.Workflow("w", steps=[ss.Step("api", target=unknown)]))
    assert [item for item in account.rows() if item["name"]["S"].startswith("workflow#")] == []


def test_a_graph_that_does_not_fit_into_a_variable_is_refused(account: Cloud) -> None:
    layers = [[f"{'x' * 55}-{layer}-{number}" for number in range(20)] for layer in range(25)]
    needs = [(), *layers]
    steps = [function(name, *needs[at]) for at, layer in enumerate(layers) for name in layer]
    store = account.store()
    store.check(ss.Workflow("large", steps=steps))
    wide = ss.Workflow("large", steps=steps, input={"x": "y" * 99_900})
    with pytest.raises(UnsupportedError, match="200,000 bytes"):
        store.check(wide)


def test_a_definition_whose_rows_are_lost_is_refused_by_name(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    (row,) = [item for item in account.rows() if item["version"]["S"] == "step#clean"]
    account.dynamodb.delete_item(TableName=TABLE, Key={"name": row["name"], "version": row["version"]})
    with pytest.raises(BackendError, match=r"version 1 of workflow 'nightly' cannot be read: .*step 'clean'"):
        store.definition("nightly")


def test_without_the_machine_the_backend_names_the_way(account: Cloud) -> None:
    backend = account.backend(workflows_arn=None)
    with pytest.raises(UnsupportedError, match=r"workflows_arn=\.\.\.\) with the output WorkflowsArn"):
        backend.workflows()
    assert (backend.workflows_arn, account.backend().workflows_arn) == (None, account.workflows_arn)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            ("stateMachine", "activity"), "expected workflows_arn to be 'arn:aws:states", id="shape"
        ),
        pytest.param(
            ("eu-west-1", "us-east-1"), "StateMachineArn and WorkflowsArn of one stack", id="region"
        ),
        pytest.param(("123456789012", "210987654321"), "of one stack", id="account"),
        pytest.param(("workflows", "runner"), "of one stack", id="same machine"),
    ],
)
def test_another_machine_is_refused(account: Cloud, changes: tuple[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        account.backend(workflows_arn=account.workflows_arn.replace(*changes))


# -- runs -----------------------------------------------------------------------------------------------


def test_a_run_starts_with_an_execution_and_pending_steps(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    run = start(store, input={"date": 1}, scheduled_for=NOON, trigger=Trigger.SCHEDULE)
    (driver,) = account.drivers()
    assert (run.job_id, run.status, run.version, run.started_at) == (
        driver,
        WorkflowRunStatus.RUNNING,
        1,
        NOON,
    )
    assert (run.input, run.scheduled_for, run.trigger) == ({"date": 1}, NOON, Trigger.SCHEDULE)
    assert run.steps == tuple(StepRun(name=step.name, needs=step.needs) for step in nightly().steps)
    assert run.link is not None
    assert run.link.endswith(driver)
    described = account.states.describe_execution(executionArn=driver)
    assert described["input"] == '{"run":"one","workflow":"nightly"}'
    assert store.read("nightly", "one") == run


def test_a_repeated_start_finds_the_run(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    first = start(store)
    account.move(MINUTE)
    assert (start(store), len(account.drivers())) == (first, 1)
    ended = account.drive("nightly", "one")
    assert start(store) == ended
    assert account.drivers() == []


def test_a_run_whose_execution_died_goes_on_when_it_is_started_again(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    for count in range(1, 4):
        account.stop(account.drivers()[0])
        start(store)
        assert len(account.drivers("ABORTED")) == count
        assert len(account.drivers()) == 1
    assert account.drive("nightly", "one").status is WorkflowRunStatus.SUCCEEDED


def test_steps_are_returned_in_the_order_of_the_definition_with_links(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    run = account.drive("nightly", "one", holds=("clean", "count"))
    assert statuses(run) == {
        "extract": "succeeded",
        "clean": "running",
        "count": "running",
        "report": "pending",
    }
    by_name = run.by_name
    assert by_name["clean"].link == (
        "https://eu-west-1.console.aws.amazon.com/batch/home?region=eu-west-1#jobs/detail/job-clean-1"
    )
    assert str(by_name["count"].link).startswith("https://eu-west-1.console.aws.amazon.com/states/home")
    assert by_name["extract"].result == "extract"


def test_an_unknown_run_and_a_bad_id_are_refused(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    with pytest.raises(RunNotFoundError, match="there is no run 'two' of workflow 'nightly'"):
        store.read("nightly", "two")
    with pytest.raises(ValueError, match="for run_id, got 'a#b'"):
        start(store, "a#b")
    with pytest.raises(UnsupportedError, match="an input of at most 100,000 bytes"):
        start(store, input={"x": "y" * 100_000})
    with pytest.raises(WorkflowNotFoundError):
        start(store, version=2)
    assert account.drivers() == []


def test_runs_are_listed_by_start_with_conditions(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    store.put(ss.Workflow("other", steps=[batch("x")]))
    for number, name in enumerate(("nightly", "other", "nightly", "nightly")):
        start(store, f"{9 - number}", workflow=name)
        account.move(MINUTE)

    def listed(**query: Any) -> list[str]:
        return [run.key for run in store.runs(RunQuery(**query))]

    assert listed() == ["nightly/9", "other/8", "nightly/7", "nightly/6"]
    assert listed(workflow="nightly") == ["nightly/9", "nightly/7", "nightly/6"]
    assert listed(limit=2) == ["nightly/7", "nightly/6"]
    assert listed(since=NOON + MINUTE, until=NOON + 2 * MINUTE) == ["other/8", "nightly/7"]
    assert listed(status=WorkflowRunStatus.FAILED) == []
    cancel(store, "7")
    assert listed(status=WorkflowRunStatus.CANCELLED) == ["nightly/7"]
    assert listed(workflow="unknown") == []


# -- restarts and skips ---------------------------------------------------------------------------------


def failed_run(account: Cloud) -> WorkflowRun:
    store = account.store()
    store.put(nightly())
    start(store)
    run = account.drive("nightly", "one", fails=("count",))
    assert statuses(run) == {
        "extract": "succeeded",
        "clean": "succeeded",
        "count": "failed",
        "report": "upstream_failed",
    }
    assert (run.status, account.drivers()) == (WorkflowRunStatus.FAILED, [])
    return run


def test_a_restart_runs_what_has_failed_and_nothing_else(account: Cloud) -> None:
    failed_run(account)
    account.started.clear()
    run = restart(account.store())
    assert (run.status, run.restarts, run.revision, run.ended_at) == (WorkflowRunStatus.RUNNING, 1, 1, None)
    assert len(account.drivers()) == 1
    run = account.drive("nightly", "one")
    assert run.status is WorkflowRunStatus.SUCCEEDED
    assert account.started == [("count", 2), ("report", 1)]


def test_no_row_of_a_run_that_goes_on_may_be_deleted(account: Cloud) -> None:
    failed_run(account)

    def expiring() -> set[str]:
        rows = [item for item in account.rows() if "expires_at" in item]
        return {item["version"]["S"] for item in rows}

    assert expiring() == {"flow#one", "step#extract", "step#clean", "step#count", "step#report"}
    restart(account.store())
    assert expiring() == set()


def test_a_restart_with_a_new_definition_drops_and_adds_steps(account: Cloud) -> None:
    failed_run(account)
    store = account.store()
    steps = [batch("extract"), batch("clean", "extract"), function("mail", "clean")]
    latter = nightly(steps=steps)
    version = store.put(latter).version
    run = store.read("nightly", "one")
    run = change(store, run, plan_restart(latter, run), restarts=True, version=version)
    assert run.version == 2
    assert statuses(run) == {"extract": "succeeded", "clean": "succeeded", "mail": "pending"}
    assert account.drive("nightly", "one").status is WorkflowRunStatus.SUCCEEDED
    version = store.put(nightly()).version
    run = store.read("nightly", "one")
    run = change(store, run, plan_restart(nightly(), run), restarts=True, version=version)
    assert statuses(run)["count"] == "pending", "its earlier record is gone"


def test_a_large_restart_is_written_in_portions(account: Cloud) -> None:
    store = account.store()
    steps = [batch("first"), *(batch(f"s{number}", "first") for number in range(110))]
    flow = ss.Workflow("nightly", steps=steps)
    store.put(flow)
    start(store)
    run = cancel(store)
    assert set(statuses(run).values()) == {"cancelled"}
    account.session.calls.clear()
    run = restart(store)
    assert account.session.calls.count("transact_write_items") == 2
    assert set(statuses(run).values()) == {"pending"}


def test_a_skipped_step_counts_as_done_and_its_work_is_ended(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", holds=("clean", "count"))
    skip(store, "clean")
    run = skip(store, "count")
    assert statuses(run)["clean"] == statuses(run)["count"] == "skipped"
    assert account.ended == ["job-clean-1"]
    found = account.states.list_executions(stateMachineArn=account.runner_arn, statusFilter="ABORTED")
    assert len(found["executions"]) == 1
    assert (run.by_name["clean"].detail, run.revision) == (None, 2)
    assert account.drive("nightly", "one").status is WorkflowRunStatus.SUCCEEDED


def test_a_skip_of_an_ended_run_leaves_it_ended(account: Cloud) -> None:
    failed_run(account)
    run = skip(account.store(), "count")
    assert (run.status, run.revision, account.drivers()) == (WorkflowRunStatus.FAILED, 1, [])
    (row,) = [
        item for item in account.rows() if item["name"]["S"] == "workflow#nightly#one" and "reason" in item
    ]
    assert (row["version"]["S"], "expires_at" in row) == ("step#count", True)


def test_a_change_of_something_that_has_changed_is_refused_and_changes_nothing(account: Cloud) -> None:
    run = failed_run(account)
    store = account.store()
    plan = plan_restart(nightly(), run)
    skip(store, "count")
    rows = account.rows()
    with pytest.raises(ConflictError) as refused:
        change(store, run, plan, restarts=True)
    assert (refused.value.name, account.rows()) == ("nightly/one", rows)


def test_a_step_that_ends_meanwhile_refuses_the_change(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    run = account.drive("nightly", "one", holds=("clean", "count"))
    definition = nightly()
    plan = plan_restart(definition, run, skip=["clean"])
    account.drive("nightly", "one", holds=("count",))
    with pytest.raises(ConflictError):
        change(store, run, plan)
    assert account.ended == []


def test_how_a_restart_goes_on_is_said(account: Cloud) -> None:
    run = failed_run(account)
    store = account.store()
    plan = plan_restart(nightly(), run)
    from stepsched.workflows.port import Changes

    def method(run: WorkflowRun) -> str:
        return store.restart_method(Changes(run=run, steps=plan.changes, restarts=True, version=1, input={}))

    assert method(run) == "a new execution"
    run = restart(store)
    assert method(run) == "in place"
    account.stop(account.drivers()[0])
    assert method(run) == "a new execution"


def test_a_dead_driver_is_replaced_and_never_redriven(account: Cloud) -> None:
    """A redriven one would go on with what it knew when it died, and submit a job a second time."""
    store = account.store()
    store.put(nightly())
    start(store)
    (dead,) = account.drivers()
    account.stop(dead)
    real = account.states.describe_execution

    def described(**request: Any) -> Any:
        return {**real(**request), "redriveStatus": "REDRIVABLE", "redriveCount": 0, "stopDate": NOON}

    account.session.answers["describe_execution"] = described
    (repair,) = store.repair()
    (driver,) = account.drivers()
    assert driver != dead
    assert repair.remedy == f"started {driver}"
    assert "redrive_execution" not in account.session.calls


# -- cancellation ---------------------------------------------------------------------------------------


def test_a_cancelled_run_starts_nothing_more_and_its_work_is_ended(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", holds=("clean", "count"))
    run = cancel(store)
    assert statuses(run) == {
        "extract": "succeeded",
        "clean": "cancelled",
        "count": "cancelled",
        "report": "cancelled",
    }
    assert (run.status, run.ended_at) == (WorkflowRunStatus.CANCELLED, NOON)
    assert (account.drivers(), account.ended) == ([], ["job-clean-1"])
    rows = [item for item in account.rows() if item["name"]["S"].startswith("workflow#nightly#one")]
    assert all("expires_at" in item for item in rows)
    before = account.rows()
    assert (cancel(store), account.rows(), store.repair()) == (run, before, [])


def test_an_ended_run_is_returned_unchanged(account: Cloud) -> None:
    run = failed_run(account)
    assert cancel(account.store()) == run


def test_a_job_that_was_claimed_but_not_recorded_is_found_by_its_name(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", claims=("extract",), turns=1)
    from stepsched.workflows.machine.names import batch_job_name

    account.batch_jobs["lost"] = batch_job_name("nightly", "one", "extract", 1)
    run = cancel(store)
    assert (account.ended, statuses(run)["extract"]) == (["lost"], "cancelled")


def test_work_that_is_not_visible_yet_is_looked_for_again(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", claims=("extract",), turns=1)
    assert cancel(store).by_name["extract"].detail == "to be ended"
    from stepsched.workflows.machine.names import batch_job_name

    account.batch_jobs["late"] = batch_job_name("nightly", "one", "extract", 1)
    (found,) = store.repair()
    assert (found.job, account.ended) == ("nightly/one", ["late"])
    assert store.read("nightly", "one").by_name["extract"].detail is None
    assert store.repair() == []


def test_work_that_never_came_is_forgotten(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", claims=("extract",), turns=1)
    cancel(store)
    account.move(2 * MINUTE)
    store.repair()
    assert (store.repair(), account.ended) == ([], [])


def test_a_cancelled_run_can_be_restarted(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", holds=("clean", "count"))
    cancel(store)
    account.started.clear()
    run = restart(store)
    assert statuses(run) == {
        "extract": "succeeded",
        "clean": "pending",
        "count": "pending",
        "report": "pending",
    }
    assert account.drive("nightly", "one").status is WorkflowRunStatus.SUCCEEDED
    assert sorted(account.started) == [("clean", 2), ("count", 2), ("report", 1)]


# -- repairs --------------------------------------------------------------------------------------------


def test_a_repair_starts_an_execution_where_none_runs_and_leaves_others_alone(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    for each in ("one", "two"):
        start(store, each)
    dead, alive = account.drivers()
    account.stop(dead)
    (found,) = store.repair()
    assert (found.job, found.problem) == ("nightly/one", Problem.UNFINISHED)
    assert found.remedy.startswith("started arn:")
    assert alive in account.drivers()
    assert len(account.drivers()) == 2
    assert len(account.drivers("ABORTED")) == 1


# -- jobs -----------------------------------------------------------------------------------------------


def test_jobs_do_not_see_the_rows_of_workflows(account: Cloud) -> None:
    store, client = account.store(), ss.SchedulerClient(account.backend())
    store.put(nightly())
    start(store)
    account.drive("nightly", "one", holds=("clean", "count"))
    hidden = {"name": {"S": "workflow#nightly#one#count"}}
    due = {"due": {"S": "2030-01-01T12:00:00Z"}}
    run = {"version": {"S": "run#2030-01-01T12:00:00Z#abc"}, "status": {"S": "running"}, **due}
    pending = {"version": {"S": "run#2030-01-01T12:00:00Z#abd"}, "status": {"S": "pending"}, **due}
    for row in ({"version": {"S": "v0"}, "plan": {"S": "{}"}}, run, pending):
        account.dynamodb.put_item(TableName=TABLE, Item={**hidden, **row})
    before = account.rows()
    assert (client.list(), list(client.runs()), client.repair()) == ([], [], [])
    assert list(client.upcoming(until=NOON + 60 * MINUTE)) == []
    assert account.rows() == before


def test_a_job_cannot_have_the_name_of_such_rows(account: Cloud) -> None:
    client = ss.SchedulerClient(account.backend())
    job = ss.Job(
        name="workflow#nightly#one#count", schedule=ss.Rate(MINUTE), target=ss.LambdaTarget(FUNCTION)
    )
    with pytest.raises(UnsupportedError, match="a name that begins with 'workflow#'"):
        client.create(job)


def test_a_job_starts_a_workflow_and_every_attempt_finds_the_same_run(account: Cloud) -> None:
    backend = account.backend()
    client = ss.SchedulerClient(backend)
    backend.workflows().put(nightly())
    job = ss.Job(
        name="each night",
        schedule=ss.Rate(60 * MINUTE),
        target=ss.WorkflowTarget("nightly"),
        overlap=ss.Overlap.SKIP,
        input={"full": True},
    )
    record = client.create(job)
    assert record.job == job
    row = next(item for item in account.rows() if item["version"]["S"] == "v0")
    import json

    plan = json.loads(row["plan"]["S"])
    assert plan["call"] == "states:startExecution.sync:2"
    assert plan["arguments"]["StateMachineArn"] == account.workflows_arn
    text = json.dumps(plan)
    for part in ("each-night-", '"restart": true', '"trigger": "schedule"', '"workflow": "nightly"'):
        assert part in text


def test_the_id_of_a_run_that_a_job_starts_has_no_more_than_64_characters() -> None:
    """As the machine forms it from the message; the contract of the machine compares both."""
    scheduled, manual = "run#2030-01-07T02:00:00Z", "run#2030-01-07T02:00:00Z#0123456789ab"
    assert run_id_of("each night", scheduled) == f"2030-01-07T02:00:00Z-{distinct('each night', 30)}"
    assert run_id_of("each night", manual) == f"{run_id_of('each night', scheduled)}.0123456789ab"
    assert len(run_id_of("n" * 256, manual)) == 64


def test_an_unknown_workflow_is_refused_before_the_job_is_stored(account: Cloud) -> None:
    client = ss.SchedulerClient(account.backend())
    job = ss.Job(name="j", schedule=ss.Rate(MINUTE), target=ss.WorkflowTarget("nightly"))
    with pytest.raises(WorkflowNotFoundError):
        client.create(job)
    with pytest.raises(UnsupportedError, match="it has no state machine that runs workflows"):
        ss.SchedulerClient(account.backend(workflows_arn=None)).create(job)
    assert account.rows() == []


def test_a_time_limit_of_a_job_that_starts_a_workflow_is_refused_by_name(account: Cloud) -> None:
    backend = account.backend()
    backend.workflows().put(nightly())
    target = ss.WorkflowTarget("nightly")
    with pytest.raises(UnsupportedError, match="max_run_time does not end a workflow"):
        ss.SchedulerClient(backend).create(
            ss.Job(name="j", schedule=ss.Rate(MINUTE), target=target, max_run_time=MINUTE)
        )


def test_an_adopted_run_can_be_restarted(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    steps = tuple(
        StepRun(name=name, status=status, attempt=1, started_at=NOON, ended_at=NOON)
        for name, status in {
            "extract": StepStatus.SUCCEEDED,
            "clean": StepStatus.SKIPPED,
            "count": StepStatus.FAILED,
        }.items()
    )
    old = WorkflowRun(
        workflow="nightly",
        id="2018-09-22T19:55:26.747498",
        status=WorkflowRunStatus.FAILED,
        version=1,
        started_at=NOON,
        ended_at=NOON,
        steps=steps,
    )
    adopted = store.adopt(old)
    assert statuses(adopted) == {
        "extract": "succeeded",
        "clean": "skipped",
        "count": "failed",
        "report": "pending",
    }
    before = account.rows()
    assert (store.adopt(old), account.rows()) == (adopted, before)
    restart(store, old.id)
    assert account.drive("nightly", old.id).status is WorkflowRunStatus.SUCCEEDED
    assert account.started == [("count", 2), ("report", 1)]


def test_what_cannot_be_read_is_left_out_of_lists_with_a_warning(account: Cloud) -> None:
    store = account.store()
    store.put(nightly())
    store.put(ss.Workflow("other", steps=[batch("x")]))
    for each in ("one", "two"):
        start(store, each)
    broken = {"name": {"S": "workflow#nightly"}, "version": {"S": "flow#one"}}
    account.dynamodb.put_item(TableName=TABLE, Item={**broken, "state": {"S": "elsewhere"}})
    with pytest.warns(ScheduleWarning, match="row 'flow#one' of 'workflow#nightly' cannot be read as a run"):
        assert [run.id for run in store.runs(RunQuery())] == ["two"]
    with pytest.raises(BackendError, match="cannot be read as a run"):
        store.read("nightly", "one")
    (row,) = [item for item in account.rows() if item["version"]["S"] == "step#x"]
    account.dynamodb.delete_item(TableName=TABLE, Key={"name": row["name"], "version": row["version"]})
    with pytest.warns(ScheduleWarning, match="version 1 of workflow 'other' cannot be read"):
        assert [each.name for each in store.definitions()] == ["nightly"]
