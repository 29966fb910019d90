"""What holds of every backend: each field of a job is kept or refused, a refusal names whoever can do it, and
nothing is worked out twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from importlib import import_module
from typing import Any, get_args

import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.backends.capabilities import BUILT_IN
from stepsched.machines.shared import table_schema
from stepsched.targets import (
    AwsTarget,
    BatchTarget,
    EcsTaskTarget,
    SageMakerPipelineTarget,
)
from stepsched.testing.contract import handlers
from stepsched.testing.contract.refusals import NEEDS
from tests.rendered import runner_text
from tests.sessions import new_session

REGION, ACCOUNT = "eu-west-1", "123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms")
JOB = ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *"), target=ss.LambdaTarget(FUNCTION))
LAMBDA = ss.LambdaTarget(FUNCTION)
MINUTE = timedelta(minutes=1)
TASK = EcsTaskTarget(
    f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/main",
    task_definition_arn=f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/report:3",
)
BATCH = BatchTarget("report", job_queue="nightly")
TRAINING = SageMakerPipelineTarget(f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/train")
OTHERS: dict[str, Any] = {
    "name": "another",
    "schedule": ss.Rate(timedelta(minutes=5)),
    "target": ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:work"),
    "input": {"a": [1, "b"]},
    "description": "words",
    "group": "team",
    "tags": {"team": "a"},
    "enabled": False,
    "retry": ss.Retry(max_attempts=7, max_age=timedelta(minutes=30)),
    "dead_letter": QUEUE,
    "notify": TOPIC,
    "on_failure": ss.OnFailure.STOP,
    "overlap": ss.Overlap.SKIP,
    "catch_up": ss.CatchUp.ONE,
    "catch_up_within": timedelta(minutes=5),
    "jitter": timedelta(minutes=3),
    "max_run_time": timedelta(minutes=10),
    "completion": ss.Completion.KEEP,
}


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ss.backends.Backend]]:
    """The backends of the package by the names of their classes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws(), ExitStack() as stack:
        session = new_session(region_name=REGION)
        local = ss.LocalBackend(handlers=dict.fromkeys((*get_args(AwsTarget), ss.HttpTarget), print))
        eventbridge = ss.EventBridgeBackend(ROLE, session=session)
        eventbridge.ensure_group("team")
        session.client("dynamodb").create_table(**table_schema.creation("jobs"))
        machine = session.client("stepfunctions").create_state_machine(
            name="runner", definition=runner_text("jobs"), roleArn=ROLE
        )
        stepfunctions = ss.StepFunctionsBackend(
            state_machine_arn=machine["stateMachineArn"], table_name="jobs", session=session
        )
        made: tuple[ss.backends.Backend, ...] = (local, eventbridge, stepfunctions)
        for backend in made:
            stack.callback(backend.close)
        yield {type(backend).__name__: backend for backend in made}


@pytest.fixture(params=BUILT_IN)
def backend(request: pytest.FixtureRequest, backends: dict[str, ss.backends.Backend]) -> ss.backends.Backend:
    return backends[request.param]


def test_every_field_of_a_job_has_another_value_here() -> None:
    """A field that is added is looked at on every backend."""
    assert OTHERS.keys() == ss.Job.model_fields.keys()
    assert all(getattr(JOB, name) != value for name, value in OTHERS.items())


@pytest.mark.parametrize("field", OTHERS)
@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
def test_every_field_of_a_job_is_kept_or_refused(backend: ss.backends.Backend, field: str) -> None:
    needed = (
        {"overlap": ss.Overlap.SKIP} if (backend.name, field) == ("stepfunctions", "max_run_time") else {}
    )
    client, wanted = ss.SchedulerClient(backend), JOB.replace(**{field: OTHERS[field]}, **needed)
    if not getattr(backend.capabilities, field, True):
        with pytest.raises(ss.UnsupportedError, match=field) as caught:
            client.create(wanted)
        assert set(caught.value.alternatives) & BUILT_IN.keys()
        assert client.list() == []
        return
    client.create(wanted)
    assert getattr(client.get(wanted.name).job, field) == OTHERS[field]
    assert client.get(wanted.name).job == wanted


def test_a_disabled_job_starts_no_execution(backends: dict[str, ss.backends.Backend]) -> None:
    backend = backends["StepFunctionsBackend"]
    assert isinstance(backend, ss.StepFunctionsBackend)
    client, states = ss.SchedulerClient(backend), new_session(region_name=REGION).client("stepfunctions")
    client.create(JOB.replace(enabled=False))
    machine = backend.state_machine_arn
    assert states.list_executions(stateMachineArn=machine)["executions"] == []
    client.update(JOB)
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    assert execution["status"] == "RUNNING"
    client.update(JOB.replace(enabled=False))
    stopped = states.describe_execution(executionArn=execution["executionArn"])
    assert stopped["status"] == "ABORTED"


COMBINED = [
    pytest.param({"target": ss.EventBusTarget(f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/b")}, id="bus"),
    pytest.param(
        {"overlap": ss.Overlap.SKIP, "target": ss.HandlerTarget("builtins:print")}, id="overlap of a function"
    ),
    pytest.param({"jitter": timedelta(seconds=0.5)}, id="jitter of half a second"),
    pytest.param({"notify": TOPIC, "catch_up_within": timedelta(hours=1)}, id="notify and catch up within"),
    pytest.param(
        {"schedule": ss.Windowed("2031-01-01T09:00:00.5", every=ss.Frequency(seconds=10))},
        id="seconds and fractions",
    ),
    pytest.param({"overlap": ss.Overlap.QUEUE, "target": TRAINING}, id="queue of a SageMaker pipeline"),
    pytest.param({"max_run_time": MINUTE, "target": TASK}, id="run time of a task"),
    pytest.param({"max_run_time": MINUTE, "target": BATCH}, id="run time of a batch job"),
    pytest.param({"max_run_time": MINUTE, "target": handlers.PIPELINE}, id="run time of a pipeline"),
    pytest.param(
        {"overlap": ss.Overlap.SKIP, "target": TASK.replace(task_count=2)}, id="overlap of several tasks"
    ),
    pytest.param({"overlap": ss.Overlap.SKIP, "target": handlers.TEMPLATE}, id="overlap of a template"),
    pytest.param(
        {
            "schedule": ss.Windowed("2031-01-31T09:00", every=ss.Frequency(months=5)),
            "target": handlers.TEMPLATE,
        },
        id="five months of a template",
    ),
    pytest.param(
        {"target": ss.ParallelTarget([LAMBDA, ss.CommandTarget(["true"])])}, id="a function and a command"
    ),
    pytest.param(
        {"target": ss.ParallelTarget([LAMBDA, QUEUE]), "catch_up_within": MINUTE},
        id="parallel, catch up within",
    ),
    pytest.param(
        {"overlap": ss.Overlap.SKIP, "max_run_time": timedelta(seconds=10.5)}, id="run time with a fraction"
    ),
]
WANTED = [pytest.param(each.values[1], id=each.id) for each in NEEDS if each.values[0] != "aws_targets"]
VERBS: dict[str, Callable[[ss.SchedulerClient], object]] = {
    "keeps_runs": lambda client: client.runs("job"),
    "keeps_events": lambda client: client.backend.events(after=0),
    "keeps_versions": lambda client: client.versions("job"),
    "moves_groups": lambda client: client.update(JOB.replace(group="team")),
    "stops_runs": lambda client: client.pause("job", stop_run=True),
}


def named(error: ss.UnsupportedError) -> list[str]:
    """The backends among what would work instead."""
    return [each for each in error.alternatives if each in BUILT_IN]


def refusals(
    backends: dict[str, ss.backends.Backend], call: Callable[[ss.backends.Backend], object]
) -> dict[str, ss.UnsupportedError]:
    """What the backends that refuse a call say, by their names."""

    def refusal(backend: ss.backends.Backend) -> ss.UnsupportedError | None:
        try:
            call(backend)
        except ss.UnsupportedError as error:
            return error
        return None

    found = {name: refusal(backend) for name, backend in backends.items()}
    return {name: error for name, error in found.items() if error is not None}


@pytest.mark.parametrize("changes", [*WANTED, *COMBINED])
@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
def test_a_refusal_names_the_backends_that_take_the_job_and_no_other(
    backends: dict[str, ss.backends.Backend], changes: dict[str, Any]
) -> None:
    wanted = JOB.replace(**{"target": OTHERS["target"]} | changes)
    refused = refusals(backends, lambda backend: backend.check(wanted))
    able = [name for name in BUILT_IN if name not in refused]
    assert able
    assert {name: named(error) for name, error in refused.items()} == dict.fromkeys(refused, able)
    machines = [error for error in refused.values() if "render_asl" in str(error)]
    assert not machines or ss.render_asl(wanted).states


@pytest.mark.filterwarnings("ignore::stepsched.ScheduleWarning")
def test_what_no_function_is_registered_for_names_the_backends_that_take_the_job(
    backends: dict[str, ss.backends.Backend],
) -> None:
    with ss.LocalBackend() as bare:
        for changes, able in (
            ({}, ["EventBridgeBackend", "StepFunctionsBackend"]),
            ({"overlap": ss.Overlap.SKIP}, ["StepFunctionsBackend"]),
            ({"target": handlers.TEMPLATE}, ["EventBridgeBackend"]),
            ({"overlap": ss.Overlap.SKIP, "max_run_time": timedelta(seconds=10.5)}, []),
            ({"target": ss.HandlerTarget("builtins:print"), "dead_letter": QUEUE}, []),
        ):
            with pytest.raises(ss.UnsupportedError, match="no handler is registered") as caught:
                bare.check(JOB.replace(**changes))
            assert named(caught.value) == able


@pytest.mark.parametrize("capability", VERBS)
def test_a_refusal_names_the_backends_that_take_the_verb_and_no_other(
    backends: dict[str, ss.backends.Backend], capability: str
) -> None:
    for backend in backends.values():
        ss.SchedulerClient(backend).create(JOB)
    refused = refusals(backends, lambda backend: VERBS[capability](ss.SchedulerClient(backend)))
    able = [name for name in BUILT_IN if name not in refused]
    assert able
    assert able == [name for name, can in BUILT_IN.items() if getattr(can, capability)]
    assert {name: named(error) for name, error in refused.items()} == dict.fromkeys(refused, able)


def test_a_backend_that_is_given_a_job_itself_says_what_to_give(backend: ss.backends.Backend) -> None:
    job: Any = JOB
    for verb in (backend.create, lambda it: backend.update(it, expected_version=1)):
        with pytest.raises(TypeError, match=r"got Job; use backend.create\(backend.prepare\(job\)\)"):
            verb(job)


def test_a_backend_does_not_store_what_another_has_prepared(backends: dict[str, ss.backends.Backend]) -> None:
    other_group = ss.EventBridgeBackend(ROLE, group="team", session=new_session(region_name=REGION))
    with ss.LocalBackend(handlers={ss.LambdaTarget: print}) as other_local:
        others = [*backends.values(), other_group, other_local]
        for backend in backends.values():
            for other in others:
                if other is backend:
                    continue
                prepared = other.prepare(JOB)
                for verb in (backend.create, lambda it, to=backend: to.update(it, expected_version=1)):
                    with pytest.raises(ValueError, match="expected job 'job' as prepared by") as caught:
                        verb(prepared)
                    assert repr(backend) in str(caught.value)
            assert ss.SchedulerClient(backend).list() == []


def test_a_job_prepared_by_a_backend_of_the_user_needs_no_maker(
    backends: dict[str, ss.backends.Backend],
) -> None:
    backend = backends["LocalBackend"]
    prepared = backend.prepare(JOB)
    plain = ss.backends.Prepared(JOB, prepared.plan)
    assert plain == prepared
    assert ss.backends.Prepared(JOB) != prepared
    assert backend.create(plain).job == JOB


def test_what_is_no_job_is_not_prepared(backend: ss.backends.Backend) -> None:
    name: Any = "job"
    for verb in (backend.prepare, backend.check):
        with pytest.raises(TypeError, match=r"expected a Job, got str; use Job\(name=..., schedule="):
            verb(name)


WORK = {
    "local": {"backends.local.backend.encode": 1},
    "eventbridge": {
        "backends.eventbridge.backend.check_job": 1,
        "backends.eventbridge.documents.aws_target": 1,
        "backends.eventbridge.documents.write_target": 1,
        "backends.eventbridge.documents.digest": 1,
    },
    "stepfunctions": {
        "backends.stepfunctions.backend.instructions_of": 1,
        "machines.data.check_input": 1,
        "machines.shared.instructions.timing_of": 1,
    },
}
"""What a verb works out of a job, and how often."""


def counted(monkeypatch: pytest.MonkeyPatch, names: dict[str, int]) -> Counter[str]:
    """Counts the calls of functions."""
    calls = Counter[str]()

    def watch(name: str) -> None:
        module, _, function = name.rpartition(".")
        home = import_module(f"stepsched.{module}")
        present: Callable[..., Any] = getattr(home, function)

        def counting(*given: Any, **named: Any) -> Any:
            calls[name] += 1
            return present(*given, **named)

        monkeypatch.setattr(home, function, counting)

    for name in names:
        watch(name)
    return calls


@pytest.mark.parametrize("verb", ["create", "create_many", "update", "apply"])
def test_nothing_is_worked_out_twice(
    backend: ss.backends.Backend, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ss.SchedulerClient(backend)
    verbs: dict[str, Callable[[], object]] = {
        "create": lambda: client.create(JOB),
        "create_many": lambda: client.create_many([JOB]),
        "update": lambda: client.update(JOB.replace(description="new")),
        "apply": lambda: client.apply(client.plan([])),
    }
    if verb == "update":
        client.create(JOB)
    wanted = {name: times if verb != "apply" else 0 for name, times in WORK[backend.name].items()}
    if verb == "update":  # what is stored is read too, and has a digest of its own
        wanted.pop("backends.eventbridge.documents.digest", None)
    calls = counted(monkeypatch, wanted)
    verbs[verb]()
    assert {name: calls[name] for name in wanted} == wanted
