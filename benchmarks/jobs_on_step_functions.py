"""What the Step Functions backend costs beside bare boto3, against a local stub, in one run.

    pip install . && python benchmarks/jobs_on_step_functions.py

Creates one-time jobs: one TransactWriteItems and one StartExecution each. Three ways make the same calls with
the same bodies: a plain loop over boto3, a bare thread pool over one boto3 client of each service without
validation, and stepsched. Then jobs that are there are read, one by one and as a list, beside boto3 doing the
same reads in the same order. Once the stub answers at once, and once after 30 ms, a Region's distance. The
stub speaks plain HTTP. At a distance the loop makes fewer calls, and what it needs for all of them is
computed; the report says so.

Besides: a hundred thousand jobs that wait, the calls they take, and those of one among them; the memory of a
lazy list; and what a run costs in the machine, which is computed from its definition.

Every pass is a process of its own, on a stub of its own. Prints Markdown to the standard output and its
progress to the standard error. ``--quick`` takes fewer jobs, to see that everything works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import eventbridge
import jobs_stub
import measuring
import scheduler_stub
from jobs_stub import FUNCTION, MACHINE, TABLE
from measuring import Section, Target, duration, progress, table, times

_DISTANCE = 0.03
_WORKERS = 32
"""Threads of stepsched, its default, and of the bare pool."""
_CREATED = ("TransactWriteItems", "StartExecution")
_DESCRIBED = ("DescribeTable", "DescribeStateMachine")
"""What the backend asks once."""
Call = tuple[str, dict[str, Any]]
"""An operation, as boto3's method, and its arguments."""


class Size(NamedTuple):
    """How much is done."""

    jobs: int
    far: int
    """Jobs of the plain loop at a distance."""
    rounds: int
    gets: int
    listed: int
    few: int
    many: int
    """Jobs that a lazy list goes over, for its memory."""
    waiting: int
    """Jobs that are created for the counts."""


FULL = Size(jobs=1_500, far=100, rounds=3, gets=2_000, listed=5_000, few=10_000, many=50_000, waiting=100_000)
QUICK = Size(jobs=300, far=30, rounds=1, gets=200, listed=1_000, few=500, many=2_500, waiting=1_000)


class Step(NamedTuple):
    """What one process measured of one thing: seconds of the clock and of CPU."""

    jobs: int
    seconds: float
    cpu: float


# -- one pass, in a process of its own -----------------------------------------------------------------


def backend(url: str) -> Any:
    """stepsched's, with its default threads."""
    from stepsched import StepFunctionsBackend

    return StepFunctionsBackend(state_machine_arn=MACHINE, table_name=TABLE, endpoint_url=url)


def bare_clients(url: str, **settings: Any) -> dict[str, Any]:
    """boto3's of the two services, by operation."""
    import boto3
    from botocore.config import Config

    session, config = boto3.Session(), Config(**settings)
    dynamodb, states = (
        session.client(name, endpoint_url=url, config=config) for name in ("dynamodb", "stepfunctions")
    )
    reads = ("transact_write_items", "get_item", "batch_get_item", "query")
    return dict.fromkeys(reads, dynamodb) | {"start_execution": states}


def jobs(count: int) -> list[Any]:
    return [jobs_stub.example(number) for number in range(count)]


class Recorder:
    """In place of boto3's clients: keeps what they are asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def noted(**arguments: Any) -> dict[str, Any]:
            self.calls.append((operation, arguments))
            return {}

        return noted


def requests(url: str, count: int) -> list[tuple[Call, Call]]:
    """The two calls of each job as stepsched makes them, made beforehand."""
    ours, recorder = backend(url), Recorder()
    ours._ready()
    ours._table._client = ours._executions._client = recorder
    for job in jobs(count):
        ours.create(ours.prepare(job))
    made = list(zip(recorder.calls[::2], recorder.calls[1::2], strict=True))
    if len(made) != count:
        raise RuntimeError(f"{len(recorder.calls)} calls for {count} jobs")
    return made


def measured(count: int, work: Callable[[], Iterable[Any]]) -> Step:
    begun, cpu = time.perf_counter(), time.process_time()
    done = sum(1 for _ in work())
    step = Step(count, time.perf_counter() - begun, time.process_time() - cpu)
    if done != count:
        raise RuntimeError(f"{done} of {count} jobs")
    return step


def loop(url: str, count: int) -> Step:
    clients = bare_clients(url)
    made = requests(url, count)
    return measured(count, lambda: [called(clients, calls) for calls in made])


def pool(url: str, count: int) -> Step:
    clients = bare_clients(url, max_pool_connections=_WORKERS, parameter_validation=False)
    made = requests(url, count)
    with ThreadPoolExecutor(_WORKERS) as threads:
        return measured(count, lambda: list(threads.map(lambda calls: called(clients, calls), made)))


def called(clients: Mapping[str, Any], calls: Iterable[Call]) -> list[Any]:
    return [getattr(clients[operation], operation)(**arguments) for operation, arguments in calls]


def create(url: str, count: int) -> Step:
    from stepsched import SchedulerClient

    client = SchedulerClient(backend(url))
    made = jobs(count)
    return measured(count, lambda: client.create_many(made, progress=lambda _done, _of: None))


def bare_get(url: str, count: int) -> Step:
    client = bare_clients(url)["get_item"]

    def read(job: Any) -> Any:
        key = {"name": {"S": job.name}, "version": {"S": "v0"}}
        return client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]

    made = jobs(count)
    read(made[0])
    return measured(count, lambda: [read(job) for job in made])


def get(url: str, count: int) -> Step:
    from stepsched import SchedulerClient

    client = SchedulerClient(backend(url))
    made = jobs(count)
    client.get(made[0].name)
    return measured(count, lambda: [client.get(job.name) for job in made])


def bare_list(url: str, count: int) -> Step:
    """The rows of all jobs, as the backend asks for them: three statuses, and a hundred rows at once."""
    client = bare_clients(url)["query"]

    def keys(status: str) -> Iterator[Any]:
        asked: dict[str, Any] = {
            "TableName": TABLE,
            "IndexName": "by_status",
            "KeyConditionExpression": "#status = :status AND #due BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#status": "status", "#due": "due"},
            "ExpressionAttributeValues": {
                ":status": {"S": status},
                ":low": {"S": " "},
                ":high": {"S": "~"},
            },
        }
        while True:
            page = client.query(**asked)
            yield from ({"name": item["name"], "version": item["version"]} for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def rows() -> Iterator[Any]:
        for status in ("active", "paused", "ended"):
            left = keys(status)
            while portion := list(islice(left, 100)):
                asked = {TABLE: {"Keys": portion, "ConsistentRead": True}}
                yield from client.batch_get_item(RequestItems=asked)["Responses"][TABLE]

    client.describe_table(TableName=TABLE)
    return measured(count, rows)


def listing(url: str, count: int) -> Step:
    from stepsched import SchedulerClient

    ours = backend(url)
    ours._ready()
    return measured(count, SchedulerClient(ours).iterate)


def peak(url: str, _count: int) -> list[int]:
    """Bytes: the most that the process has held after a hundred jobs, and after all of them."""
    from stepsched import SchedulerClient

    at_first, seen = 0, 0
    for seen, _ in enumerate(SchedulerClient(backend(url)).iterate(), 1):
        if seen == 100:
            at_first = eventbridge.most_held()
    return [seen, at_first, eventbridge.most_held()]


def waiting(url: str, count: int) -> dict[str, Any]:
    """Creates jobs, and then asks for one in their middle, pauses and cancels it: the calls of each verb."""
    from stepsched import SchedulerClient

    port = int(url.rsplit(":", 1)[1])
    made = jobs(count)
    before = eventbridge.most_held()
    client = SchedulerClient(backend(url))
    step = measured(count, lambda: client.create_many(made, progress=lambda _done, _of: None))
    after = eventbridge.most_held()
    asked = {"create_many": counted(port)}
    name = made[count // 2].name
    for verb in ("get", "pause", "cancel"):
        seen = jobs_stub.counts(port)
        getattr(client, verb)(name)
        asked[verb] = {key: value for key, value in (jobs_stub.counts(port) - seen).items() if value}
    return {"step": step, "memory": [before, after], "asked": asked}


def counted(port: int) -> dict[str, int]:
    return dict(jobs_stub.counts(port))


_PARTS: dict[str, Callable[[str, int], Any]] = {
    "plain loop": loop,
    "thread pool": pool,
    "stepsched": create,
    "boto3: get": bare_get,
    "stepsched: get": get,
    "boto3: list": bare_list,
    "stepsched: list": listing,
    "peak": peak,
    "waiting": waiting,
}


def ask(part: str, port: int, count: int) -> Any:
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part, str(port), str(count)]
    environment = {key: value for key, value in os.environ.items() if key not in eventbridge._CLEARED}
    environment |= eventbridge._CREDENTIALS
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{part}: {done.stderr.strip()}")
    return json.loads(done.stdout)


# -- the report ----------------------------------------------------------------------------------------


def stub_alone() -> str:
    made = [jobs_stub.example(number).name for number in range(10_000)]
    gets = [
        jobs_stub.request(
            "DynamoDB_20120810.GetItem",
            {"TableName": TABLE, "Key": {"name": {"S": name}, "version": {"S": "v0"}}},
        )
        for name in made
    ]
    row = jobs_stub.example_row()
    creates = []
    for name in made:
        put = {"TableName": TABLE, "ConditionExpression": "attribute_not_exists(#name)"}
        current = {"Put": put | {"Item": row | {"name": {"S": name}, "version": {"S": "v0"}}}}
        version = {"name": {"S": name}, "version": {"S": "v1"}, "job": row["job"]}
        body = {"TransactItems": [current, {"Put": {"TableName": TABLE, "Item": version}}]}
        creates.append(jobs_stub.request("DynamoDB_20120810.TransactWriteItems", body))
    with jobs_stub.running() as port:
        written = scheduler_stub.requests_a_second(port, creates)
        read = scheduler_stub.requests_a_second(port, gets)
    return (
        f"The stub alone, through bare sockets: {read:,.0f} GetItem and {written:,.0f} TransactWriteItems "
        "a second."
    )


def far_of(latency: float) -> str:
    return f"{latency * 1e3:.0f} ms" if latency else "no latency"


def creating(latency: float, size: Size) -> Section:
    """The three ways in turn, round after round; the loop at a distance only once."""
    found: dict[str, list[Step]] = {"plain loop": [], "thread pool": [], "stepsched": []}
    far = far_of(latency)
    for number in range(size.rounds):
        for name, steps in found.items():
            alone = name == "plain loop" and latency
            if alone and number:
                continue
            count = size.far if alone else size.jobs
            progress(f"{name}, {count:,} jobs, {far}, round {number + 1}")
            with jobs_stub.running(latency=latency) as port:
                steps.append(Step(*ask(name, port, count)))
                asked = jobs_stub.counts(port)
            if any(asked[operation] != count for operation in _CREATED):
                raise RuntimeError(f"{name}: {asked} for {count} jobs")
    middle = {name: statistics.median(each.seconds / each.jobs for each in found[name]) for name in found}
    rows = []
    for name, steps in found.items():
        paces = sorted(each.jobs / each.seconds for each in steps)
        multiplied = size.jobs / steps[0].jobs
        rows.append(
            [
                name + (f", {size.far:,} jobs multiplied" if multiplied != 1 else ""),
                f"{middle[name] * size.jobs:.1f} s",
                f"{1 / middle[name]:,.0f}/s",
                f"{paces[0]:,.0f} to {paces[-1]:,.0f}/s",
                f"{2 / middle[name]:,.0f}/s",
                duration(statistics.median(each.cpu / each.jobs for each in steps)),
                f"{middle[name] / middle['thread pool']:.2f}×",
            ]
        )
    head = ["", "seconds", "jobs", "rounds", "calls", "CPU of a job", "of the pool"]
    over = middle["stepsched"] / middle["thread pool"]
    less = middle["plain loop"] / middle["stepsched"]
    targets = [Target(f"creating, {far}: at most 1.2 × the bare thread pool", f"{over:.2f}×", over <= 1.2)]
    if latency:
        promise = f"creating, {far}: at least 10 × less than the plain loop"
        targets.append(Target(promise, times(less), less >= 10))
    note = f"\n\nMedians of {size.rounds} rounds; *rounds*: the slowest and the fastest."
    return Section(f"Creating {size.jobs:,} one-time jobs, {far}", table(head, rows) + note, targets)


def reading(latency: float, size: Size) -> Section:
    """Both ways in turn; at a distance, where waiting is all there is to see, only once."""
    far, rounds = far_of(latency), 1 if latency else size.rounds
    works = {
        "get": ("`get` of one job, one after another", size.far if latency else size.gets),
        "list": ("all jobs, listed", size.listed),
    }
    rows = []
    for part, (what, count) in works.items():
        found: dict[str, list[Step]] = {"boto3": [], "stepsched": []}
        asked = Counter[str]()
        for number in range(rounds):
            for name, steps in found.items():
                progress(f"{name}: {part}, {count:,} jobs, {far}, round {number + 1}")
                with jobs_stub.running(latency=latency, jobs=count) as port:
                    steps.append(Step(*ask(f"{name}: {part}", port, count)))
                    asked = jobs_stub.counts(port)
        middle = {name: statistics.median(each.seconds / each.jobs for each in found[name]) for name in found}
        cpu = {name: statistics.median(each.cpu / each.jobs for each in found[name]) for name in found}
        calls = ", ".join(f"{asked[each]:,} {each}" for each in sorted(asked) if each not in _DESCRIBED)
        rows.append(
            [
                f"{what}: {count:,}",
                calls,
                *(f"{duration(middle[name])}" for name in found),
                f"{middle['stepsched'] / middle['boto3']:.2f}×",
                *(duration(cpu[name]) for name in found),
            ]
        )
    head = [
        *("a job, of", "calls of stepsched", "boto3", "stepsched", "of boto3"),
        *("CPU, boto3", "CPU, stepsched"),
    ]
    how = "Once each" if rounds == 1 else f"Medians of {rounds} rounds"
    note = (
        f"\n\n{how}. boto3 hands back rows, and stepsched reads jobs out of them, checks them and works out "
        "when each runs next."
    )
    return Section(f"Reading, {far}", table(head, rows, text_columns=2) + note, [])


def memory(size: Size) -> Section:
    rows, peaks = [], list[int]()
    for count in (size.few, size.many):
        progress(f"memory over {count:,} jobs")
        with jobs_stub.running(jobs=count) as port:
            seen, at_first, most = ask("peak", port, count)
        if seen != count:
            raise RuntimeError(f"{seen} of {count} jobs")
        peaks.append(most)
        rows.append([f"{count:,}", f"{at_first / 1e6:.1f} MB", f"{most / 1e6:.1f} MB"])
    head = ["jobs, listed lazily", "peak after the first hundred", "peak after all"]
    shown = ", ".join(f"{each / 1e6:.1f} MB" for each in peaks)
    flat = peaks[1] <= 1.05 * peaks[0]
    note = "\n\nThe whole process, with the interpreter, pydantic and boto3."
    targets = [Target("a lazy list's memory is flat", shown, flat)]
    return Section("Memory of a lazy list", table(head, rows) + note, targets)


def pending(size: Size) -> Section:
    found: dict[int, dict[str, Any]] = {}
    for count in (10, size.waiting):
        progress(f"{count:,} jobs that wait")
        with jobs_stub.running() as port:
            found[count] = ask("waiting", port, count)
    few, many = found[10], found[size.waiting]
    step, (before, after) = Step(*many["step"]), many["memory"]
    made = many["asked"]["create_many"]
    rows = [
        [verb, *(calls_in(found[count]["asked"][verb]) for count in found)]
        for verb in ("create_many", "get", "pause", "cancel")
    ]
    note = (
        f"\n\n{step.jobs:,} were created in {step.seconds:.0f} s, {step.jobs / step.seconds:,.0f} a "
        f"second, with {duration(step.cpu / step.jobs)} of CPU each. The process held {before / 1e6:.0f} MB "
        f"with the jobs alone and {after / 1e6:.0f} MB at most while it created them, the records of all "
        "included."
    )
    exact = {operation: count for operation, count in made.items() if operation not in _DESCRIBED}
    same = all(few["asked"][verb] == many["asked"][verb] for verb in ("get", "pause", "cancel"))
    scans = sum(asked.get("Scan", 0) for asked in many["asked"].values())
    targets = [
        Target(
            f"{size.waiting:,} one-time jobs: one transaction and one start each",
            calls_in(exact),
            exact == dict.fromkeys(_CREATED, size.waiting),
        ),
        Target(
            "`get`, `pause`, `cancel` of one among them: the calls of one among ten, and no Scan",
            f"{'the same' if same else 'others'}, {scans}",
            same and not scans,
        ),
    ]
    head = ["calls of", *(f"among {count:,}" for count in found)]
    return Section("Jobs that wait", table(head, rows, text_columns=3) + note, targets)


def calls_in(asked: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {operation}" for operation, count in sorted(asked.items()))


# -- the machine ---------------------------------------------------------------------------------------


def machine() -> Section:
    from stepsched.asl.budget import MAX_EVENTS, PRICES, way_through
    from stepsched.machines.shared.runner import event_limit, events, runner, runs_per_execution

    made = runner(TABLE)
    states = made.to_dict()["States"]
    call, synchronous = "lambda:invoke", "states:startExecution.sync:2"
    begins = ("Load", "Mine?", "Take", "Plan")
    turn = ("More?", "Sleep", "Fence", "Route", call, "Record", "Plan")
    ways = {
        "a run": turn,
        "a run that is waited for (`.sync`)": tuple(synchronous if name == call else name for name in turn),
        "another attempt of it": (call, "Try again?", "Pause", "Route", call)[1:],
        "a one-time job from start to end": (*begins, *turn, "More?", "Delete", "Done"),
        "handing over to the next execution": ("More?", "Renew", "Renewed"),
        "and what that one begins with": begins,
    }
    whole = {"a one-time job from start to end": 2, "handing over to the next execution": 1}
    whole["and what that one begins with"] = 1
    rows = []
    for what, way in ways.items():
        turn = way_through(states, *way)
        price = PRICES.per_thousand * turn.transitions  # of a thousand
        count = turn.events + whole.get(what, 0)
        rows.append([what, f"{turn.transitions}", f"{count}", f"{price:.3f} dollars"])
    limit = event_limit(3)
    runs = runs_per_execution(3)
    compact, indented = (len(made.to_json(indent=indent).encode()) for indent in (None, 2))
    order = len(jobs_stub.example_row()["plan"]["S"].encode())
    plan = len(json.dumps(deployed(1), separators=(",", ":")).encode())
    five = len(json.dumps(deployed(5), separators=(",", ":")).encode())
    note = (
        "\n\nWhere nothing fails, with a target that is called at once; start and end of an execution are "
        f"counted. An execution counts {events().run} events a run and hands over past {limit:,} of "
        f"{MAX_EVENTS:,}: after {runs:,} runs of a job with three retries."
        f"\n\nThe definition has {len(states)} states and {compact:,} bytes, {indented:,} indented; the "
        f"service takes a megabyte. The order of one job is {order} bytes in its row. The template of a "
        f"stack for one target is {plan:,} bytes without white space, for five of different kinds {five:,}."
    )
    head = ["", "transitions", "events", "a thousand cost"]
    return Section("A run in the machine", table(head, rows) + note, [])


def own_machine() -> list[list[str]]:
    """Beside it, what a machine of a job's own would take."""
    import stepsched as ss

    rows = []
    recurring = ss.Job(
        name="each-day",
        schedule=ss.Cron("0 9 * * ? *", timezone="America/New_York"),
        target=ss.LambdaTarget(FUNCTION),
    )
    for what, job in (("`Cron`", recurring), ("`OneTime`", jobs_stub.example(0))):
        made = ss.render_asl(job)
        usual = made.budget().usual
        size = len(made.to_json(indent=None).encode())
        rows.append([what, f"{usual.transitions}", f"{usual.events}", f"{size:,}"])
    return rows


def targets_of(count: int) -> list[Any]:
    import stepsched as ss

    place = "us-east-1:123456789012"
    kinds = [
        ss.LambdaTarget(FUNCTION),
        ss.StateMachineTarget(f"arn:aws:states:{place}:stateMachine:report"),
        ss.QueueTarget(f"arn:aws:sqs:{place}:orders"),
        ss.TopicTarget(f"arn:aws:sns:{place}:told"),
        ss.EventBusTarget(f"arn:aws:events:{place}:event-bus/shop", detail_type="due", source="shop"),
    ]
    return kinds[:count]


def deployed(count: int) -> dict[str, Any]:
    from stepsched.deploy import template

    return template(targets_of(count))


def rendering(effort: measuring.Effort) -> Section:
    from stepsched.machines.shared.runner import runner

    made = runner(TABLE)
    works: dict[str, Callable[[], object]] = {
        "`runner(...)`": lambda: runner(TABLE),
        "its `to_json()`": made.to_json,
        "its `to_json(indent=None)`": lambda: made.to_json(indent=None),
        "its `check()`": made.check,
        "`deploy.template` for one target": lambda: deployed(1),
        "`deploy.template` for five": lambda: deployed(5),
    }
    progress("rendering")
    contenders = {what: once(work) for what, work in works.items()}
    timings = measuring.measure(contenders, effort)
    rows = [[what, duration(timing.best), duration(timing.median)] for what, timing in timings.items()]
    beside = table(["a machine of a job's own", "transitions of a run", "events", "bytes"], own_machine())
    body = f"{table(['CPU', 'best', 'median'], rows)}\n\nBeside it, `render_asl`:\n\n{beside}"
    return Section("Writing machine and template", body, [])


def once(work: Callable[[], object]) -> measuring.Contender:
    def contender(_: int) -> int:
        work()
        return 1

    return contender


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer jobs")
    parser.add_argument("--rounds", type=int, help="passes of each way, of which the median counts")
    parser.add_argument("--part", nargs=3, metavar=("NAME", "PORT", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        name, port, count = options.part
        print(json.dumps(_PARTS[name](f"http://127.0.0.1:{port}", int(count))))
        return
    size = QUICK if options.quick else FULL
    if options.rounds:
        size = size._replace(rounds=options.rounds)
    load = os.getloadavg()[0]
    stub = stub_alone()
    sections = [
        *(creating(latency, size) for latency in (0.0, _DISTANCE)),
        *(reading(latency, size) for latency in (0.0, _DISTANCE)),
        memory(size),
        pending(size),
        machine(),
        rendering(measuring.QUICK if options.quick else measuring.FULL),
    ]
    import boto3

    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    print(
        f"{python}, {system}, boto3 {boto3.__version__}, {_WORKERS} threads; the load was {load:.2f} before."
    )
    print(f"{stub}\n")
    promised = [target for section in sections for target in section.targets]
    head = ["target", "measured", ""]
    print(
        table(head, [[each.promise, each.measured, "met" if each.met else "**missed**"] for each in promised])
    )
    for section in sections:
        print(f"\n#### {section.title}\n\n{section.body}")
    progress("done")


if __name__ == "__main__":
    main()
