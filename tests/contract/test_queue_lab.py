"""What the lab "fan out to a queue" does, from its schedule to its worker; a test for each of its features.

The lab: a one-time schedule in Taipei invokes a function that sends one message per task to a FIFO queue, in
one group; another function handles one message at a time and prints it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.workers import QueueMessage
from tests.contract.test_queue_worker import Account, until, working
from tests.parts.ministack import REGION, Ministack
from tests.parts.state_machines import run_machine

TASKS = ["Hello from Lambda #1!", "Hello from Lambda #2!"]
GROUP = "1337"
NEW_YEAR_S_EVE = ss.OneTime("2037-12-31T23:59:59", timezone="Asia/Taipei")
DUE = datetime.fromisoformat("2037-12-31T15:59:59+00:00")


@pytest.fixture
def lab(ministack: Ministack) -> Account:
    return Account(ministack.new_account(), ministack.endpoint_url)


def target(lab: Account, tasks: list[str]) -> ss.FanOutTarget:
    arn = f"arn:aws:sqs:{REGION}:{lab.number}:tasks.fifo"
    return ss.FanOutTarget(arn, tasks, message_group_id=GROUP)


def job(target: ss.Target) -> ss.Job:
    description = "Scheduler to invoke send-task-lambda-function"
    return ss.Job(name="cdklab", schedule=NEW_YEAR_S_EVE, target=target, description=description)


def send(lab: Account, tasks: list[str], times: int = 1) -> None:
    """Runs the job on Step Functions."""
    client = lab.session.client("stepfunctions", endpoint_url=lab.endpoint_url)
    with closing(client):
        for _ in range(times):
            run_machine(client, ss.render_asl(job(target(lab, tasks))).to_json())


class Printed:
    """The worker of the lab prints what it gets."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.messages: list[QueueMessage] = []

    def __call__(self, message: QueueMessage) -> None:
        self.messages.append(message)
        self.lines.append(f"Task received: {message.body}")

    @property
    def handler(self) -> Callable[[QueueMessage], None]:
        def handle(message: QueueMessage) -> None:
            self(message)

        return handle


def test_the_schedule_is_that_of_the_lab_field_by_field(lab: Account) -> None:
    """Its zone, its description, no window, 3 retries in 3600 s, and the input ``{}``."""
    client = lab.session.client("scheduler", endpoint_url=lab.endpoint_url)
    policy = ss.Retry(max_attempts=3, max_age=timedelta(hours=1))
    wanted = job(ss.LambdaTarget(LAMBDA)).replace(input={}, retry=policy, completion=ss.Completion.KEEP)
    role = f"arn:aws:iam::{lab.number}:role/stepsched"
    with (
        closing(client),
        ss.EventBridgeBackend(role_arn=role, session=lab.session, endpoint_url=lab.endpoint_url) as backend,
    ):
        scheduler = ss.SchedulerClient(backend)
        scheduler.create(wanted)
        found = client.get_schedule(Name="cdklab")
        scheduler.cancel("cdklab")
    assert found["Description"].startswith("Scheduler to invoke send-task-lambda-function")
    assert found["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert found["ScheduleExpression"] == "at(2037-12-31T23:59:59)"
    assert found["ScheduleExpressionTimezone"] == "Asia/Taipei"
    assert found["Target"] == {
        "Arn": LAMBDA,
        "RoleArn": role,
        "Input": "{}",
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 3},
    }


@pytest.mark.parametrize("text", ["rate(5 minutes)", "cron(0 9 * * ? *)", "at(2037-12-31T23:59:59)"])
def test_the_schedule_may_be_at_rate_or_cron(text: str) -> None:
    assert str(ss.parse_schedule(text)) == text


def test_runs_once_at_the_instant_in_taipei_and_the_worker_gets_each_task(lab: Account) -> None:
    printed, backend = Printed(), ss.LocalBackend(clock=FakeClock(DUE - timedelta(days=400)))
    fan_out = target(lab, TASKS)
    backend.register(ss.FanOutTarget, ss.QueueWorker(fan_out, printed.handler).handler)
    with closing(backend):
        ss.SchedulerClient(backend).create(job(fan_out))
        backend.run_until(DUE - timedelta(seconds=1))
        assert printed.lines == []
        backend.run_until(DUE + timedelta(days=400))
    assert printed.lines == [f"Task received: {task}" for task in TASKS]
    assert {(message.sent_at, message.group) for message in printed.messages} == {(DUE, GROUP)}


def test_one_message_per_task_in_order_in_one_group_and_a_worker_with_one_message_at_a_time(
    lab: Account,
) -> None:
    url = lab.queue("tasks.fifo", receives=5)
    tasks = [*TASKS, *(f"task {number}" for number in range(4))]
    send(lab, tasks)
    printed = Printed()
    with working(
        [lab.worker(url, printed.handler, batch_size=1), lab.worker(url, printed.handler, batch_size=1)]
    ):
        until(lambda: lab.count(url) == (0, 0))
    assert printed.lines == [f"Task received: {task}" for task in tasks]
    assert {message.group for message in printed.messages} == {GROUP}


def test_two_equal_texts_are_two_messages(lab: Account) -> None:
    """And the same run again, as after a lost answer, sends no third one."""
    url = lab.queue("tasks.fifo", receives=5)
    send(lab, ["same", "same"], times=2)
    printed = Printed()
    with working([lab.worker(url, printed.handler)]):
        until(lambda: lab.count(url) == (0, 0))
    assert printed.lines == ["Task received: same"] * 2


def test_the_task_list_comes_from_code_or_from_a_file_with_one_per_line(lab: Account, tmp_path: Path) -> None:
    path = tmp_path / "tasks.txt"
    path.write_text("\n".join(TASKS) + "\n", encoding="utf-8")
    arn = f"arn:aws:sqs:{REGION}:{lab.number}:tasks.fifo"
    assert ss.FanOutTarget.from_file(arn, path, message_group_id=GROUP) == target(lab, TASKS)


def test_partial_failures_are_handled_again_alone(lab: Account) -> None:
    url = lab.queue("tasks", receives=5)
    lab.send(url, [f"task {number}" for number in range(10)])
    calls = list[str]()

    def handle(message: QueueMessage) -> None:
        calls.append(message.body)
        if message.body == "task 3" and message.receive_count == 1:
            raise ValueError("once")

    with working([lab.worker(url, handle, batch_size=10)]):
        until(lambda: lab.count(url) == (0, 0))
    assert sorted(calls) == sorted([*(f"task {number}" for number in range(10)), "task 3"])


def test_a_poison_task_does_not_block_the_queue_for_ever(lab: Account) -> None:
    """In the lab it does: one group, and no dead-letter queue."""
    url = lab.queue("tasks.fifo", receives=2)
    send(lab, ["poison", *TASKS])
    done = list[str]()

    def handle(text: str) -> None:
        if text == "poison":
            raise ValueError("no")
        done.append(text)

    with working([lab.worker(url, handle)]):
        until(lambda: done == TASKS)
    assert lab.count(url.replace("tasks.fifo", "dead.fifo"))[0] == 1


def test_the_visibility_timeout_and_the_wait_are_those_of_the_settings(lab: Account) -> None:
    """The lab: 1 minute and 0 seconds."""
    url, seen = lab.queue("tasks.fifo", visibility=60, receives=5), list[dict[str, Any]]()
    lab.session.events.register(
        "before-parameter-build.sqs.ReceiveMessage", lambda params, **_: seen.append(params)
    )
    lab.send(url, ["a"], group=lambda _: GROUP)
    with working([lab.worker(url, lambda _: None, wait_time=1)]):
        until(lambda: lab.count(url) == (0, 0) and len(seen) > 1)
    assert {request["VisibilityTimeout"] for request in seen} == {60}
    assert {request["WaitTimeSeconds"] for request in seen} == {0, 1}, "the first request shows what is there"


def test_payloads_are_json_and_nothing_else(lab: Account) -> None:
    """The lab has jsonpickle, whose documents can run code when they are read."""
    with pytest.raises(ValueError, match="input"):
        ss.Job(name="a", schedule=NEW_YEAR_S_EVE, target=ss.LambdaTarget(LAMBDA), input={"at": DUE})
    with pytest.raises(ValueError, match="messages"):
        ss.FanOutTarget(f"arn:aws:sqs:{REGION}:{lab.number}:tasks", [{"a": 1}])  # type: ignore[list-item]
    url, seen = lab.queue("tasks", receives=5), list[Any]()
    lab.send(url, [json.dumps({"py/object": "os.system"})])
    with working([lab.worker(url, lambda text: seen.append(text))]):
        until(lambda: lab.count(url) == (0, 0))
    assert seen == ['{"py/object": "os.system"}'], "a worker hands on the text as it is"


def lab_template(tasks: list[str]) -> dict[str, Any]:
    """The resources of the lab, without a function."""
    arn = f"arn:aws:sqs:{REGION}:123456789012:tasks.fifo"
    fan_out = ss.FanOutTarget(arn, tasks, message_group_id=GROUP)
    return ss.deploy.template([fan_out], parts=["queue"], prefix="cdklab")


def test_the_queue_has_settings_and_a_dead_letter_queue() -> None:
    made = lab_template(TASKS)["Resources"]
    queue, letters = (made[f"CdklabQueue{name}"]["Properties"] for name in ("", "DeadLetters"))
    assert (queue["VisibilityTimeout"], queue["MessageRetentionPeriod"]) == (360, 345_600)
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["CdklabQueueDeadLetters", "Arn"]}
    assert letters["MessageRetentionPeriod"] == 1_209_600


def test_a_layer_of_dependencies_is_needless_without_a_function() -> None:
    kinds = {each["Type"] for each in lab_template(TASKS)["Resources"].values()}
    assert not any(kind.startswith("AWS::Lambda") for kind in kinds)


def test_a_prefix_is_in_all_names_and_outputs() -> None:
    made = lab_template(TASKS)
    names = [
        value
        for each in made["Resources"].values()
        for key, value in each["Properties"].items()
        if key in ("TableName", "StateMachineName", "QueueName")
    ]
    assert len(names) == 4
    assert all(name.startswith("cdklab-") for name in names)
    assert all(name.startswith("Cdklab") for name in made["Outputs"])


def test_roles_allow_what_was_evaluated_and_nothing_else() -> None:
    arn = f"arn:aws:sqs:{REGION}:123456789012:tasks.fifo"
    policy = ss.iam.policy_for([job(ss.FanOutTarget(arn, TASKS, message_group_id=GROUP))])
    ((action, resource),) = ((each["Action"], each["Resource"]) for each in policy["Statement"])
    assert (action, resource) in [("sqs:SendMessage", arn), (["sqs:SendMessage"], [arn])]


def test_deploy_and_destroy_all_with_outputs(lab: Account) -> None:
    on: dict[str, Any] = {"session": lab.session, "endpoint_url": lab.endpoint_url}
    done = ss.deploy.apply(ss.deploy.plan("cdklab", lab_template(TASKS), **on), **on)
    assert {"CdklabQueueUrl", "CdklabQueueArn", "CdklabStateMachineArn"} <= done.outputs.keys()
    ss.deploy.destroy("cdklab", keep_table=False, force=True, **on)
    assert lab.sqs.list_queues().get("QueueUrls", []) == []


LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:send"
