"""Every kind of target on every backend, run for real: created, fired twice with an equal message, seen.

    python -m tests.contract.deliveries     writes the table of docs/targets.md

The table is what happened here. A new member of the union needs a sample in `SAMPLES`.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, get_args

import stepsched as ss
from stepsched import targets
from stepsched.targets import AwsTarget, Target
from stepsched.testing import FakeClock
from tests.contract.stepfunctions import Stack
from tests.contract.test_eventbridge_ministack import Inbox, Player, make_session
from tests.contract.test_fires_ministack import HANDLER
from tests.parts.ministack import PATIENCE, REGION, Ministack, clients, delete_schedules
from tests.parts.state_machines import run_machine

PAGE = Path(__file__).parents[2] / "docs" / "targets.md"
BEGIN, END = "<!-- table of deliveries: begin -->", "<!-- table of deliveries: end -->"
T0 = datetime.fromisoformat("2030-01-07T00:00:00+00:00")
HOUR = timedelta(hours=1)
SCHEDULE = ss.Cron("0 * * * ? *", end=T0 + 2.5 * HOUR)
"""It has two runs."""
ROLE = "arn:aws:iam::123456789012:role/scheduler"
SEND = "aws-sdk:sqs:sendMessage"
Aws = Callable[[str], Any]
Function = Callable[..., object]


@dataclass
class Place:
    """An account of the emulator, and what has arrived in it.

    The resources of a target are made when it is asked for.
    """

    server: Ministack
    account: str
    aws: Aws
    folder: Path
    local: list[object] = field(default_factory=list)
    """What functions in this process were called with, and calls of URLs."""
    receiver: ThreadingHTTPServer | None = None
    """What URLs of this machine call."""

    def close(self) -> None:
        if self.receiver is not None:
            self.receiver.shutdown()
            self.receiver.server_close()

    def url(self) -> str:
        """A URL of this machine, whose calls count among those of functions."""
        arrived = self.local

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that the library gives it
                arrived.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keeps quiet."""

        self.receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        Thread(target=self.receiver.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.receiver.server_port}/"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{self.account}:{resource}"

    def inbox(self, name: str = "inbox") -> Inbox:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        return Inbox(self.aws("sqs"), name, **attributes)

    def messages(self, name: str = "inbox", *, wait: bool = True) -> int:
        """The number of messages that have come, after waiting for two of them."""
        box = self.inbox(name)
        found = box.read(wait=PATIENCE if wait else 0)
        return len(found) + (len(box.read(wait=PATIENCE)) if wait and len(found) == 1 else 0)

    def function(self) -> str:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("code.py", "")
            archive.writestr("note.py", HANDLER)
        variables = {
            "REGION": REGION,
            "ENDPOINT": self.server.endpoint_url,
            "ACCOUNT": self.account,
            "INBOX": self.inbox().url,
        }
        answer = self.aws("lambda").create_function(
            FunctionName="note",
            Runtime="python3.12",
            Role=ROLE,
            Handler="note.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=PATIENCE,
            Environment={"Variables": variables},
        )
        return str(answer["FunctionArn"])

    def machine(self) -> str:
        definition = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
        answer = self.aws("stepfunctions").create_state_machine(
            name="machine", definition=json.dumps(definition), roleArn=ROLE
        )
        return str(answer["stateMachineArn"])

    def executions(self) -> int:
        arn = self.arn("states", "stateMachine:machine")
        return len(self.aws("stepfunctions").list_executions(stateMachineArn=arn)["executions"])

    def topic(self, name: str) -> str:
        """A topic that sends what it gets to the inbox of the same kind."""
        is_fifo = name.endswith(".fifo")
        sns = self.aws("sns")
        arn: str = sns.create_topic(Name=name, Attributes={"FifoTopic": "true"} if is_fifo else {})[
            "TopicArn"
        ]
        inbox = self.inbox("inbox.fifo" if is_fifo else "inbox")
        sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=inbox.arn, Attributes={"RawMessageDelivery": "true"}
        )
        return arn

    def bus(self) -> str:
        """A bus whose events all go to the inbox."""
        events = self.aws("events")
        arn: str = events.create_event_bus(Name="orders")["EventBusArn"]
        pattern = json.dumps({"account": [self.account]})
        events.put_rule(Name="all", EventBusName="orders", EventPattern=pattern)
        targets_ = [{"Id": "inbox", "Arn": self.inbox().arn}]
        events.put_targets(Rule="all", EventBusName="orders", Targets=targets_)
        return arn

    def stream(self) -> str:
        self.aws("kinesis").create_stream(StreamName="clicks", ShardCount=1)
        return self.arn("kinesis", "stream/clicks")

    def records(self) -> int:
        kinesis = self.aws("kinesis")
        (shard,) = kinesis.describe_stream(StreamName="clicks")["StreamDescription"]["Shards"]
        start = kinesis.get_shard_iterator(
            StreamName="clicks", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        return len(kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"])

    def task(self) -> Target:
        ecs = self.aws("ecs")
        ecs.create_cluster(clusterName="main")
        container = {"name": "main", "image": "none", "memory": 64}
        definition = ecs.register_task_definition(family="report", containerDefinitions=[container])
        return targets.EcsTaskTarget(
            self.arn("ecs", "cluster/main"),
            task_definition_arn=definition["taskDefinition"]["taskDefinitionArn"],
        )

    def tasks(self) -> int:
        ecs = self.aws("ecs")
        found = [
            ecs.list_tasks(cluster="main", desiredStatus=each)["taskArns"] for each in ("RUNNING", "STOPPED")
        ]
        return len({arn for arns in found for arn in arns})


def note(payload: object) -> None:
    """The function of the `HandlerTarget`; it runs in this process."""
    _NOTED.append(payload)


_NOTED: list[object] = []
_APPEND = "import sys; open(sys.argv[1], 'a').write('x')"


class Sample(NamedTuple):
    """A target, the input of its job, and how what arrives is counted."""

    label: str
    make: Callable[[Place], Target]
    count: Callable[[Place], int] = Place.messages
    """The number of arrivals in AWS, where two are wanted for each part."""
    given: Any = "equal"


_OBJECT = {"n": 1}
_ID = "0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11"


def _nothing(_: Place) -> int:
    return 0


SAMPLES = (
    Sample("`LambdaTarget`", lambda at: ss.LambdaTarget(at.function()), given=_OBJECT),
    Sample("`StateMachineTarget`", lambda at: ss.StateMachineTarget(at.machine()), Place.executions, _OBJECT),
    Sample("`QueueTarget`", lambda at: ss.QueueTarget(at.inbox().arn)),
    Sample(
        "`QueueTarget`, FIFO",
        lambda at: ss.QueueTarget(at.inbox("inbox.fifo").arn, message_group_id="g"),
        lambda at: at.messages("inbox.fifo"),
    ),
    Sample("`FanOutTarget`", lambda at: _fan_out(at, "inbox", 2), lambda at: at.messages() // 2, {}),
    Sample(
        "`FanOutTarget`, FIFO",
        lambda at: _fan_out(at, "inbox.fifo", 2),
        lambda at: at.messages("inbox.fifo") // 2,
        {},
    ),
    Sample(
        "`FanOutTarget`, eleven messages",
        lambda at: _fan_out(at, "inbox", 11),
        lambda at: at.messages() // 11,
        {},
    ),
    Sample("`TopicTarget`", lambda at: ss.TopicTarget(at.topic("news"))),
    Sample(
        "`TopicTarget`, FIFO",
        lambda at: ss.TopicTarget(at.topic("news.fifo")),
        lambda at: at.messages("inbox.fifo"),
    ),
    Sample("`EventBusTarget`", lambda at: ss.EventBusTarget(at.bus()), given=_OBJECT),
    Sample(
        "`KinesisTarget`",
        lambda at: targets.KinesisTarget(at.stream(), partition_key="k"),
        Place.records,
        _OBJECT,
    ),
    Sample(
        "`FirehoseTarget`",
        lambda at: targets.FirehoseTarget(at.arn("firehose", "deliverystream/clicks")),
        _nothing,
        _OBJECT,
    ),
    Sample(
        "`EcsTaskTarget`",
        Place.task,
        Place.tasks,
        {"containerOverrides": [{"name": "main", "environment": [{"name": "N", "value": "1"}]}]},
    ),
    Sample("`BatchTarget`", lambda _: ss.BatchTarget("report", job_queue="nightly"), _nothing, {}),
    Sample(
        "`CodeBuildTarget`",
        lambda at: targets.CodeBuildTarget(at.arn("codebuild", "project/site")),
        _nothing,
        {"environmentVariablesOverride": [{"name": "N", "value": "1"}]},
    ),
    Sample(
        "`CodePipelineTarget`",
        lambda at: targets.CodePipelineTarget(at.arn("codepipeline", "site")),
        _nothing,
        {},
    ),
    Sample(
        "`SageMakerPipelineTarget`",
        lambda at: targets.SageMakerPipelineTarget(at.arn("sagemaker", "pipeline/train")),
        _nothing,
        {},
    ),
    Sample(
        "`ApiTarget`",
        lambda at: ss.ApiTarget("sqs", "sendMessage", {"QueueUrl": _url(at), "MessageBody": "equal"}),
        given={},
    ),
    Sample(
        "`TemplateTarget`",
        lambda at: targets.TemplateTarget(at.arn("inspector", "target/0-a/template/0-b")),
        _nothing,
        {},
    ),
    Sample("`HttpTarget`", lambda at: ss.HttpTarget(at.url()), _nothing, _OBJECT),
    Sample(
        "`HttpTarget`, with a connection",
        lambda at: ss.HttpTarget(
            "https://example.com/hook", connection_arn=at.arn("events", f"connection/hooks/{_ID}")
        ),
        _nothing,
        _OBJECT,
    ),
    Sample("`HandlerTarget`", lambda _: ss.HandlerTarget("tests.contract.deliveries:note"), _nothing),
    Sample(
        "`CommandTarget`",
        lambda at: ss.CommandTarget([sys.executable, "-c", _APPEND, str(at.folder / "noted")]),
        _nothing,
    ),
    Sample(
        "`ParallelTarget`",
        lambda at: ss.ParallelTarget([ss.QueueTarget(at.inbox().arn), ss.TopicTarget(at.topic("news"))]),
        lambda at: at.messages() // 2,
    ),
)
"""Of each member of the union one, and the variants that are sent in another way."""


def _fan_out(at: Place, inbox: str, count: int) -> Target:
    """A target of equal messages."""
    group = "g" if inbox.endswith(".fifo") else None
    return ss.FanOutTarget(at.inbox(inbox).arn, ["equal"] * count, message_group_id=group)


def _url(at: Place) -> str:
    at.inbox()
    return f"https://sqs.{REGION}.amazonaws.com/{at.account}/inbox"


# -- the backends -------------------------------------------------------------------------------------------


def _job(target: Target, given: Any) -> ss.Job:
    return ss.Job(name="job", schedule=SCHEDULE, target=target, input=given)


def _local(at: Place, job: ss.Job, count: Callable[[Place], int], path: Path | None) -> int:
    handlers: dict[Any, Function] = {
        kind: lambda target, given: at.local.append((target, given)) for kind in get_args(AwsTarget)
    }
    backend = ss.LocalBackend(path, clock=FakeClock(T0), handlers=handlers, private_hosts=["127.0.0.1"])
    _NOTED.clear()
    with closing(backend):
        client = ss.SchedulerClient(backend)
        client.create(job)
        assert client.get("job").job == job
        backend.run_until(T0 + 3 * HOUR)
    noted = at.folder / "noted"
    written = len(noted.read_text()) if noted.exists() else 0
    noted.unlink(missing_ok=True)
    messages = sum(len(getattr(part, "messages", "1")) for part in targets.parts_of(job.target))
    return (len(at.local) + len(_NOTED) + written) // messages


def _memory(at: Place, job: ss.Job, count: Callable[[Place], int]) -> int:
    return _local(at, job, count, None)


def _sqlite(at: Place, job: ss.Job, count: Callable[[Place], int]) -> int:
    return _local(at, job, count, at.folder / "jobs.db")


def _eventbridge(at: Place, job: ss.Job, count: Callable[[Place], int]) -> int:
    at.server.set_time(T0)
    clock = FakeClock(T0)
    backend = ss.EventBridgeBackend(
        ROLE, endpoint_url=at.server.endpoint_url, session=make_session(at.account), clock=clock, workers=2
    )
    with closing(backend):
        client = ss.SchedulerClient(backend)
        client.create(job)
        assert client.get("job").job == job
        Player(at.server, clock, client, at.aws("scheduler")).play(T0 + 2 * HOUR, lambda _: None)
        return count(at)


def _stepfunctions(at: Place, job: ss.Job, count: Callable[[Place], int]) -> int:
    from stepsched.machines.shared.runner import CALLS

    clock = FakeClock(T0)
    stack = Stack(at.server, at.account, at.aws, clock, calls=[*CALLS, SEND])
    try:
        with closing(stack.backend()) as backend:
            client = ss.SchedulerClient(backend)
            client.create(job)
            assert client.get("job").job == job
            stack.play(T0 + 2 * HOUR)
            return count(at)
    finally:
        at.server.release_waits()


def _rendered(at: Place, job: ss.Job, count: Callable[[Place], int]) -> int:
    machine = ss.render_asl(job)
    assert machine.check() == []
    run_machine(at.aws("stepfunctions"), machine.to_json(), {"after": "2030-01-07T00:00:00Z"})
    return count(at)


Play = Callable[[Place, ss.Job, Callable[[Place], int]], int]
BACKENDS: dict[str, Play] = {
    "`LocalBackend()`": _memory,
    "`LocalBackend(path)`": _sqlite,
    "`EventBridgeBackend`": _eventbridge,
    "`StepFunctionsBackend`": _stepfunctions,
    "`render_asl`": _rendered,
}
MACHINES = ("`StepFunctionsBackend`", "`render_asl`")
_TEMPLATED = "the emulator delivers schedules to functions, machines, queues, topics and buses only"
_UNIVERSAL = "the emulator makes no such API call for a schedule"
_NO_CALL = "the emulator makes no such API call for a state machine"
UNSEEN: dict[tuple[str, str], str] = {
    **{
        (f"`{kind}`", "`EventBridgeBackend`"): _TEMPLATED
        for kind in (
            *("KinesisTarget", "FirehoseTarget", "EcsTaskTarget", "CodeBuildTarget", "CodePipelineTarget"),
            *("SageMakerPipelineTarget", "TemplateTarget"),
        )
    },
    ("`BatchTarget`", "`EventBridgeBackend`"): _UNIVERSAL,
    **{
        (kind, machine): _NO_CALL
        for kind in (
            *("`FirehoseTarget`", "`BatchTarget`", "`CodeBuildTarget`", "`CodePipelineTarget`"),
            *("`SageMakerPipelineTarget`", "`HttpTarget`, with a connection"),
        )
        for machine in MACHINES
    },
}
"""What is created and cannot be seen to arrive, with the reason."""


class Cell(NamedTuple):
    """What happened to a target on a backend."""

    word: str
    """arrived, created or refused."""
    reason: str = ""


def outcome(sample: Sample, backend: str, at: Place) -> Cell:
    """Creates a job with the target on the backend, fires it twice, and counts what arrives."""
    job = _job(sample.make(at), sample.given)
    reason = UNSEEN.get((sample.label, backend))
    count = sample.count if reason is None else (lambda _: 0)
    try:
        with closing(at):
            arrived = BACKENDS[backend](at, job, count)
    except (ss.UnsupportedError, ss.RenderError) as error:
        words = str(error).replace(at.account, "123456789012")
        return Cell(
            "refused", re.sub(r"^the \w+ backend refuses job 'job': |^cannot render job 'job': ", "", words)
        )
    if reason is not None:
        return Cell("created", reason)
    assert arrived == 2, f"{sample.label} on {backend}: two messages are wanted, {arrived} arrived"
    return Cell("arrived")


# -- the table ----------------------------------------------------------------------------------------------


def table(cells: dict[tuple[str, str], Cell]) -> str:
    """The table in Markdown, with the reasons as numbered notes."""
    reasons = list(dict.fromkeys(cell.reason for cell in cells.values() if cell.reason))
    numbers = {reason: number for number, reason in enumerate(reasons, 1)}

    def shown(cell: Cell) -> str:
        return cell.word + (f" ({numbers[cell.reason]})" if cell.reason else "")

    heads = ["target", *BACKENDS]
    rows = [[each.label, *(shown(cells[each.label, name]) for name in BACKENDS)] for each in SAMPLES]
    lines = [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]
    notes = [f"{number}. {reason}" for reason, number in numbers.items()]
    return "\n".join([*lines, "", *notes])


def written() -> str:
    """The table of the page."""
    text = PAGE.read_text("utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def read(text: str) -> dict[tuple[str, str], Cell]:
    """Reads a table as cells."""
    lines = text.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    reasons = dict(line.split(". ", 1) for line in lines if re.match(r"\d+\. ", line))
    (_, *backends), _, *rest = rows
    found: dict[tuple[str, str], Cell] = {}
    for label, *cells in rest:
        for backend, cell in zip(backends, cells, strict=True):
            word, _, number = cell.partition(" ")
            found[label, backend] = Cell(word, reasons[number.strip("()")] if number else "")
    return found


def _all(server: Ministack) -> dict[tuple[str, str], Cell]:
    found: dict[tuple[str, str], Cell] = {}
    for sample in SAMPLES:
        for backend in BACKENDS:
            account = server.new_account()
            with clients(server, account) as aws, tempfile.TemporaryDirectory() as folder:
                found[sample.label, backend] = outcome(
                    sample, backend, Place(server, account, aws, Path(folder))
                )
                delete_schedules(aws("scheduler"))
            server.reset_time()
            print(sample.label, backend, *found[sample.label, backend])
    return found


def main(_: Sequence[str] = ()) -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with Ministack() as server:
        made = table(_all(server))
    text = PAGE.read_text("utf-8")
    PAGE.write_text(f"{text[: text.index(BEGIN)]}{BEGIN}\n\n{made}\n\n{text[text.index(END) :]}", "utf-8")


if __name__ == "__main__":
    main()
