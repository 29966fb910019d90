"""A table, a runner and a machine of workflows in moto, and a driver that follows the rules of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from moto import mock_aws

import stepsched as ss
from stepsched.backends.stepfunctions.rows import key, write_instant
from stepsched.backends.stepfunctions.workflows.flows import step_key
from stepsched.backends.stepfunctions.workflows.rows import rows_of_workflow, write_step
from stepsched.backends.stepfunctions.workflows.store import StepFunctionsWorkflows
from stepsched.machines.shared import table_schema as schema
from stepsched.testing import FakeClock
from stepsched.workflows import StepRun, StepStatus, WorkflowRun
from stepsched.workflows.decisions import Failure, advance, after_failure
from stepsched.workflows.machine.names import batch_job_name, runner_execution_name
from stepsched.workflows.port import Changes, Start
from stepsched.workflows.records import FailureKind, RestartPlan
from stepsched.workflows.restarts import plan_restart, skip_plan
from tests.rendered import runner_text
from tests.sessions import new_session

REGION, TABLE = "eu-west-1", "jobs"
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
ROLE = "arn:aws:iam::123456789012:role/machine"
WAITING = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9, "End": True}}})
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"


class StoppedError(BaseException):
    """The process ends: no handler catches this."""


class Session:
    """A session whose clients count their calls, and can stop at one: before its request, or after it."""

    def __init__(self) -> None:
        self._session = new_session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )
        self._clients = dict[str, Any]()
        self.calls = list[str]()
        self.requests = list[tuple[str, dict[str, Any]]]()
        self.at: int | None = None
        self.sends = False
        self.answers = dict[str, Callable[..., Any]]()
        """What answers an operation in place of the service."""

    def client(self, service: str, **options: Any) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, **options)  # type: ignore[call-overload]
        return _Client(self, self._clients[service])

    def stop_at(self, number: int | None, *, sends: bool = False) -> None:
        self.calls.clear()
        self.at, self.sends = number, sends


class _Client:
    def __init__(self, session: Session, client: Any) -> None:
        self._session, self._client = session, client

    def __getattr__(self, name: str) -> Any:
        session = self._session
        method = session.answers.get(name) or getattr(self._client, name)
        if name in ("close", "meta"):
            return method

        def call(**arguments: Any) -> Any:
            session.calls.append(name)
            session.requests.append((name, arguments))
            if session.at == len(session.calls) and not session.sends:
                raise StoppedError
            try:
                return method(**arguments)
            finally:
                if session.at == len(session.calls):
                    raise StoppedError

        return call


class Cloud:
    """An account with the stack. Its work is that of steps: who was started how often, and what was ended."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.session = Session()
        client: Any = new_session(region_name=REGION).client  # its overloads know no service by a variable
        self.dynamodb, self.states = client("dynamodb"), client("stepfunctions")
        self.dynamodb.create_table(**schema.creation(TABLE))
        make = self.states.create_state_machine
        text = runner_text(TABLE)
        self.runner_arn: str = make(name="runner", definition=text, roleArn=ROLE)["stateMachineArn"]
        self.workflows_arn: str = make(name="workflows", definition=WAITING, roleArn=ROLE)["stateMachineArn"]
        self.started = list[tuple[str, int]]()
        """The steps that were started, with the number of the attempt."""
        self.ended = list[str]()
        """The jobs of AWS Batch that were ended."""
        self.session.answers |= {"terminate_job": self._terminate, "list_jobs": self._list}
        self.batch_jobs = dict[str, str]()
        """The names of the jobs of AWS Batch by their IDs."""

    def _terminate(self, **request: Any) -> Any:
        self.ended.append(request["jobId"])
        return {}

    def _list(self, **request: Any) -> Any:
        ((wanted,),) = (each["values"] for each in request["filters"])
        found = [{"jobId": each, "jobName": name} for each, name in self.batch_jobs.items() if name == wanted]
        return {"jobSummaryList": found}

    def backend(self, **options: Any) -> ss.StepFunctionsBackend:
        given: dict[str, Any] = {
            "clock": self.clock,
            "session": self.session,
            "workflows_arn": self.workflows_arn,
            "workers": 2,
        }
        return ss.StepFunctionsBackend(
            state_machine_arn=self.runner_arn, table_name=TABLE, **(given | options)
        )

    def store(self) -> StepFunctionsWorkflows:
        return self.backend().workflows()

    def move(self, length: timedelta) -> None:
        self.clock.move_to(self.clock.now() + length)

    def drivers(self, status: str = "RUNNING") -> list[str]:
        """The ARNs of the executions of the machine of workflows, oldest first."""
        found = self.states.list_executions(stateMachineArn=self.workflows_arn, statusFilter=status)
        return [each["executionArn"] for each in reversed(found["executions"])]

    def stop(self, arn: str) -> None:
        self.states.stop_execution(executionArn=arn)

    def rows(self) -> list[dict[str, Any]]:
        """All rows of the table, in the order of their keys."""
        items = self.dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"]
        return sorted(items, key=lambda item: (item["name"]["S"], item["version"]["S"]))

    # -- the driver -----------------------------------------------------------------------------------------

    def drive(
        self,
        workflow: str,
        run_id: str,
        *,
        fails: tuple[str, ...] = (),
        holds: tuple[str, ...] = (),
        claims: tuple[str, ...] = (),
        turns: int = 50,
    ) -> WorkflowRun:
        """Does what a running driver of a run does, until nothing is left to do.

        Args:
            workflow: The name of the workflow.
            run_id: The ID of the run.
            fails: The steps that fail for good.
            holds: The steps that run on.
            claims: The steps that are claimed, and of which nothing is started: the driver is stopped there.
            turns: The maximum number of turns.
        """
        store = self.store()
        me = next(iter(self.drivers()), None)
        assert me is not None, "an execution must drive the run"
        name = rows_of_workflow(workflow)
        flow = f"{schema.FLOW}{run_id}"
        take = schema.write(
            schema.HAS_STATE,
            values={"old_state": {"S": "running"}},
            sets={schema.TOKEN: {"S": me}},
        )
        self.dynamodb.update_item(TableName=TABLE, Key=key(name, flow), **take)
        definition: ss.Workflow | None = None
        for _ in range(turns):
            run = store.read(workflow, run_id)
            if definition is None:
                definition = store.definition(workflow, run.version).definition
            now = self.clock.now()
            todo = advance(definition, run.by_name, now)
            if todo.status is not None and not todo.left_out:
                self._end(run, todo.status.value, me)
                return store.read(workflow, run_id)
            writes: list[tuple[StepRun, dict[str, Any]]] = [
                (
                    run.by_name[each.name],
                    {"status": each.status, "caused_by": each.caused_by, "ended_at": now},
                )
                for each in todo.left_out
            ]
            running = [step for step in run.steps if step.status is StepStatus.RUNNING]
            for step in (each for each in running if each.name not in holds):
                if step.name in fails:
                    failure = Failure(FailureKind.JOB, "no luck", now)
                    failed = after_failure(definition.by_name[step.name], step, failure)
                    writes.append((step, dict(failed)))
                else:
                    ended = {"status": StepStatus.SUCCEEDED, "ended_at": now, "output": f'"{step.name}"'}
                    writes.append((step, ended))
            for step, update in writes:
                self._write(run, step, step.model_copy(update=update), me)
            for each in todo.starts:
                self._claim(run, definition.by_name[each], me, starts=each not in claims)
            if not writes and not todo.starts:
                return run
        return store.read(workflow, run_id)

    def _claim(self, run: WorkflowRun, step: ss.Step, me: str, *, starts: bool) -> None:
        before = run.by_name[step.name]
        attempt = before.attempt + 1
        after = before.model_copy(
            update={"status": StepStatus.RUNNING, "attempt": attempt, "started_at": self.clock.now()}
        )
        execution = ""
        if not isinstance(step.target, ss.BatchTarget):
            execution = runner_execution_name(run.workflow, run.id, step.name, attempt)
            arn = f"{self.runner_arn.replace(':stateMachine:', ':execution:')}:{execution}"
            after = after.model_copy(update={"job_id": arn})
        self._write(run, before, after, me)
        if not starts:
            return
        self.started.append((step.name, attempt))
        if isinstance(step.target, ss.BatchTarget):
            job_id = f"job-{step.name}-{attempt}"
            self.batch_jobs[job_id] = batch_job_name(run.workflow, run.id, step.name, attempt)
            self._write(run, after, after.model_copy(update={"job_id": job_id}), me)
        else:
            text = json.dumps({"step": step.name})
            self.states.start_execution(stateMachineArn=self.runner_arn, name=execution, input=text)

    def _write(self, run: WorkflowRun, before: StepRun, after: StepRun, me: str) -> None:
        sets, removes = write_step(after)
        as_read = f"({schema.HAS_STATE} AND {schema.HAS_ATTEMPTS})"
        values = {"old_state": {"S": before.status.value}, "old_attempts": {"N": str(before.attempt)}}
        condition = as_read if before.attempt else f"({schema.IS_UNTOUCHED} OR {as_read})"
        update = schema.write(condition, values=values, sets=sets, removes=removes)
        self._transact(self._check(run, me), {"Update": {"Key": step_key(run, before.name), **update}})

    def _end(self, run: WorkflowRun, status: str, me: str) -> None:
        expires = {"N": str(int((self.clock.now() + timedelta(days=30)).timestamp()))}
        rows = [item for item in self.rows() if item["name"]["S"] == f"workflow#{run.workflow}#{run.id}"]
        sets = {schema.TTL: expires}
        for item in rows:
            step = item["version"]["S"].removeprefix(schema.STEP)
            update = schema.write(schema.IS_WRITTEN, sets=sets)
            self._transact(self._check(run, me), {"Update": {"Key": step_key(run, step), **update}})
        ended = {schema.STATE: {"S": status}, schema.ENDED_AT: {"S": write_instant(self.clock.now())}, **sets}
        where = key(rows_of_workflow(run.workflow), f"{schema.FLOW}{run.id}")
        self._transact({"Update": {"Key": where, **_mine(run, me, sets=ended)}})
        self.stop(me)

    def _check(self, run: WorkflowRun, me: str) -> dict[str, Any]:
        where = key(rows_of_workflow(run.workflow), f"{schema.FLOW}{run.id}")
        return {"ConditionCheck": {"Key": where, **_mine(run, me)}}

    def _transact(self, *writes: Any) -> None:
        named = [{kind: {"TableName": TABLE, **each} for kind, each in write.items()} for write in writes]
        self.dynamodb.transact_write_items(TransactItems=named)


def _mine(run: WorkflowRun, me: str, **more: Any) -> dict[str, Any]:
    values = {
        "old_state": {"S": "running"},
        "old_revision": {"N": str(run.revision)},
        "old_token": {"S": me},
    }
    return schema.write(schema.HAS_STATE, schema.HAS_REVISION, schema.HAS_TOKEN, values=values, **more)


@contextmanager
def cloud() -> Iterator[Cloud]:
    with mock_aws():
        yield Cloud()


def batch(name: str, *needs: str, **more: Any) -> ss.Step:
    job = "arn:aws:batch:eu-west-1:123456789012"
    target = ss.BatchTarget(job_definition=f"{job}:job-definition/d:1", job_queue=f"{job}:job-queue/q")
    return ss.Step(name, target=target, needs=needs, **more)


def function(name: str, *needs: str, **more: Any) -> ss.Step:
    return ss.Step(name, target=ss.LambdaTarget(FUNCTION), needs=needs, **more)


def nightly(**more: Any) -> ss.Workflow:
    """Four steps: two on AWS Batch, two functions."""
    steps = [
        batch("extract"),
        batch("clean", "extract"),
        function("count", "extract"),
        function("report", "clean", "count"),
    ]
    return ss.Workflow("nightly", **{"steps": steps, **more})


def start(store: StepFunctionsWorkflows, run_id: str = "one", version: int = 1, **more: Any) -> WorkflowRun:
    given: dict[str, Any] = {"workflow": "nightly", "version": version, "run_id": run_id, "input": {}}
    return store.start(Start(**(given | more)))


def change(store: StepFunctionsWorkflows, run: WorkflowRun, plan: RestartPlan, **more: Any) -> WorkflowRun:
    given: dict[str, Any] = {"restarts": False, "version": run.version, "input": plan.input}
    return store.change(Changes(run=run, steps=plan.changes, **(given | more)))


def restart(
    store: StepFunctionsWorkflows, run_id: str = "one", *, workflow: str = "nightly", **options: Any
) -> WorkflowRun:
    run = store.read(workflow, run_id)
    definition: ss.Workflow = store.definition(workflow, run.version).definition
    plan = plan_restart(definition, run, now=store.now(), **options)
    return change(store, run, plan, restarts=True)


def skip(store: StepFunctionsWorkflows, step: str, run_id: str = "one") -> WorkflowRun:
    run = store.read("nightly", run_id)
    definition: ss.Workflow = store.definition("nightly", run.version).definition
    return change(store, run, skip_plan(definition, run, step, now=store.now()))


def cancel(store: StepFunctionsWorkflows, run_id: str = "one") -> WorkflowRun:
    return store.cancel(store.read("nightly", run_id))
