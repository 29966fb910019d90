"""What holds of every backend: each field of a job is kept or refused, and nothing is worked out twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.machines.shared import table_schema
from stepsched.machines.shared.runner import runner
from tests.sessions import new_session

REGION, ACCOUNT = "eu-west-1", "123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
QUEUE = ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead")
TOPIC = ss.TopicTarget(f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms")
JOB = ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *"), target=ss.LambdaTarget(FUNCTION))
OTHERS: dict[str, Any] = {
    "name": "another",
    "schedule": ss.Rate(timedelta(minutes=5)),
    "target": ss.QueueTarget(f"arn:aws:sqs:{REGION}:{ACCOUNT}:work"),
    "input": {"a": [1, "b"]},
    "description": "words",
    "group": "team",
    "tags": {"team": "a"},
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
REFUSED = {
    "local": set[str](),
    "eventbridge": {"notify", "on_failure", "overlap", "catch_up", "catch_up_within", "max_run_time"},
    "stepfunctions": {"catch_up_within"},
}
"""The fields of which the documentation says that a backend refuses them."""


@pytest.fixture(params=["local", "eventbridge", "stepfunctions"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ss.backends.Backend]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        session = new_session(region_name=REGION)
        made: ss.backends.Backend
        if request.param == "local":
            made = ss.LocalBackend(
                handlers={ss.LambdaTarget: print, ss.QueueTarget: print, ss.TopicTarget: print}
            )
        elif request.param == "eventbridge":
            made = ss.EventBridgeBackend(ROLE, session=session)
            made.ensure_group("team")
        else:
            session.client("dynamodb").create_table(**table_schema.creation("jobs"))
            machine = session.client("stepfunctions").create_state_machine(
                name="runner", definition=runner("jobs").to_json(), roleArn=ROLE
            )
            made = ss.StepFunctionsBackend(
                state_machine_arn=machine["stateMachineArn"], table_name="jobs", session=session
            )
        yield made
        made.close()


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
    if field in REFUSED[backend.name]:
        with pytest.raises(ss.UnsupportedError, match=field) as caught:
            client.create(wanted)
        assert caught.value.alternatives
        assert client.list() == []
        return
    client.create(wanted)
    assert getattr(client.get(wanted.name).job, field) == OTHERS[field]
    assert client.get(wanted.name).job == wanted


def test_a_backend_that_is_given_a_job_itself_says_what_to_give(backend: ss.backends.Backend) -> None:
    job: Any = JOB
    for verb in (backend.create, lambda it: backend.update(it, expected_version=1)):
        with pytest.raises(TypeError, match=r"got Job; use backend.create\(backend.prepare\(job\)\)"):
            verb(job)


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
        "backends.stepfunctions.instructions.check_input": 1,
        "backends.stepfunctions.instructions.timing_of": 1,
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
