"""What the EventBridge backend costs beside bare boto3, against a local stub, in one run.

    pip install . && python benchmarks/eventbridge.py

Creates schedules, then lists them with their definitions: one CreateSchedule and one GetSchedule each, and
a ListSchedules for every hundred. Three ways make the same calls with the same bodies: a plain loop over
boto3, a bare thread pool over one boto3 client without validation, and stepsched. Once the stub answers at
once, and once after 30 ms, a Region's distance. Two things are not as in use: stepsched's pacing by the
service's quotas is lifted, and the stub speaks plain HTTP. At a distance the loop, which would take many
minutes, makes fewer calls, and what it needs for all of them is computed; the report says so.

Every pass is a process of its own, on a stub of its own. Prints Markdown to the standard output and its
progress to the standard error. ``--quick`` takes fewer schedules, to see that everything works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import scheduler_stub
from measuring import Section, Target, duration, progress, table, times

_DISTANCE = 0.03
_REGION = "us-east-1"
_ROLE = "arn:aws:iam::123456789012:role/scheduler"
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
_WORKERS = 64
"""Threads of stepsched, its default, and of the bare pool."""
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "no-secret",
    "AWS_REGION": _REGION,
    "AWS_DEFAULT_REGION": _REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}
_CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SCHEDULER")


class Size(NamedTuple):
    """How much is done."""

    schedules: int
    looped: int
    """Schedules of the plain loop; at a distance ``far`` of them."""
    far: int
    rounds: int
    few: int
    many: int
    """Schedules that a lazy list goes over, for its memory."""


FULL = Size(schedules=10_000, looped=10_000, far=500, rounds=3, few=10_000, many=50_000)
QUICK = Size(schedules=500, looped=500, far=50, rounds=1, few=500, many=2_500)


class Pass(NamedTuple):
    """What one process measured: seconds of the clock and of CPU."""

    schedules: int
    create: float
    create_cpu: float
    list: float
    list_cpu: float

    @property
    def seconds(self) -> float:
        return self.create + self.list

    @property
    def calls(self) -> int:
        """Creates, gets and pages."""
        return 2 * self.schedules + -(-self.schedules // 100)


# -- one pass, in a process of its own -----------------------------------------------------------------


def jobs(count: int) -> list[Any]:
    import stepsched as ss

    return [
        ss.Job(
            name=f"job-{number:06}",
            schedule=ss.Cron(f"{number % 60} 9 * * ? *", timezone="America/New_York"),
            target=ss.LambdaTarget(_FUNCTION),
            input={"number": number},
            description=f"Report {number}",
        )
        for number in range(count)
    ]


def backend(url: str) -> Any:
    """stepsched's, with its default threads; its pace would otherwise be the service's quotas."""
    from stepsched.backends.eventbridge.backend import EventBridgeBackend
    from stepsched.backends.eventbridge.quotas import request_rates

    rates = dict.fromkeys(request_rates(_REGION), 1e6)
    return EventBridgeBackend(_ROLE, endpoint_url=url, workers=_WORKERS, rates=rates)


def requests(url: str, count: int) -> list[dict[str, Any]]:
    """The bodies that stepsched sends, made beforehand."""
    from stepsched.backends.eventbridge.documents import translation_of, write_job

    ours = backend(url)
    now = ours.now()
    written = (
        write_job(translation_of(job), ours._settings, version=1, now=now, anchor=now.replace(microsecond=0))
        for job in jobs(count)
    )
    return [request | {"ClientToken": f"{number:064x}"} for number, request in enumerate(written)]


def bare_client(url: str, **settings: Any) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.Session().client("scheduler", endpoint_url=url, config=Config(**settings))


def entries(client: Any) -> Iterator[dict[str, Any]]:
    more: dict[str, Any] = {}
    while True:
        page = client.list_schedules(MaxResults=100, **more)
        yield from page["Schedules"]
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def measured(count: int, create: Callable[[], Iterable[Any]], read: Callable[[], Iterable[Any]]) -> Pass:
    figures = []
    for step in (create, read):
        begun, cpu = time.perf_counter(), time.process_time()
        done = sum(1 for _ in step())
        figures += [time.perf_counter() - begun, time.process_time() - cpu]
        if done != count:
            raise RuntimeError(f"{done} of {count} schedules")
    return Pass(count, *figures)


def loop(url: str, count: int) -> Pass:
    client = bare_client(url)
    made = requests(url, count)

    def read(entry: dict[str, Any]) -> Any:
        return client.get_schedule(Name=entry["Name"], GroupName=entry["GroupName"])

    return measured(
        count,
        lambda: [client.create_schedule(**request) for request in made],
        lambda: [read(entry) for entry in entries(client)],
    )


def pool(url: str, count: int) -> Pass:
    client = bare_client(url, max_pool_connections=_WORKERS, parameter_validation=False)
    made = requests(url, count)

    def create(request: dict[str, Any]) -> Any:
        return client.create_schedule(**request)

    def read(entry: dict[str, Any]) -> Any:
        return client.get_schedule(Name=entry["Name"], GroupName=entry["GroupName"])

    with ThreadPoolExecutor(_WORKERS) as threads:
        return measured(
            count,
            lambda: list(threads.map(create, made)),
            lambda: list(threads.map(read, entries(client))),
        )


def stepsched(url: str, count: int) -> Pass:
    from stepsched import SchedulerClient

    client = SchedulerClient(backend(url))
    made = jobs(count)
    return measured(
        count,
        lambda: client.create_many(made, progress=lambda _done, _of: None),
        lambda: list(client.iterate()),
    )


def peak(url: str, _count: int) -> list[int]:
    """Bytes: the most that the process has held after a hundred schedules, and after all of them."""
    from stepsched import SchedulerClient

    at_first, seen = 0, 0
    for seen, _ in enumerate(SchedulerClient(backend(url)).iterate(), 1):
        if seen == 100:
            at_first = most_held()
    return [seen, at_first, most_held()]


def most_held() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss may be that of the process which started this one
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


_PARTS: dict[str, Callable[[str, int], Any]] = {
    "plain loop": loop,
    "thread pool": pool,
    "stepsched": stepsched,
    "peak": peak,
}


def ask(part: str, port: int, count: int) -> Any:
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part, str(port), str(count)]
    environment = {key: value for key, value in os.environ.items() if key not in _CLEARED} | _CREDENTIALS
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{part}: {done.stderr.strip()}")
    return json.loads(done.stdout)


# -- the report ----------------------------------------------------------------------------------------


def stub_alone() -> str:
    with scheduler_stub.running(schedules=10_000) as port:
        gets = scheduler_stub.requests_a_second(port, list(scheduler_stub.gets(10_000)))
        creates = scheduler_stub.requests_a_second(port, list(scheduler_stub.creates(10_000)))
    return f"The stub alone, through bare sockets: {gets:,.0f} gets and {creates:,.0f} creates a second."


def at_distance(latency: float, size: Size) -> Section:
    """The three ways in turn, round after round; the loop at a distance only once."""
    passes: dict[str, list[Pass]] = {"plain loop": [], "thread pool": [], "stepsched": []}
    for number in range(size.rounds):
        for name, found in passes.items():
            alone = name == "plain loop"
            if alone and latency and number:
                continue
            count = (size.far if latency else size.looped) if alone else size.schedules
            progress(f"{name}, {count:,} schedules, {latency * 1e3:.0f} ms, round {number + 1}")
            with scheduler_stub.running(latency=latency) as port:
                found.append(Pass(*ask(name, port, count)))
    factor = {name: size.schedules / found[0].schedules for name, found in passes.items()}
    middle = {
        name: statistics.median(each.seconds for each in found) * factor[name]
        for name, found in passes.items()
    }
    rows = [row(name, found, factor[name], middle) for name, found in passes.items()]
    head = [
        *("", "creating", "listing and reading", "together", "rounds", "calls a second"),
        *("CPU of a create", "CPU of a get", "of the pool"),
    ]
    far = f"{latency * 1e3:.0f} ms" if latency else "no latency"
    over, less = (
        middle["stepsched"] / middle["thread pool"],
        middle["plain loop"] / middle["stepsched"],
    )
    targets = [Target(f"{far}: at most 1.2 × the bare thread pool", f"{over:.2f}×", over <= 1.2)]
    note = f"\n\nMedians of {size.rounds} rounds; *rounds*: the shortest and the longest."
    if latency:
        targets.append(Target(f"{far}: at least 15 × less than the plain loop", times(less), less >= 15))
        note += (
            f" The plain loop was measured once with {size.far:,} schedules, and its seconds are those "
            f"multiplied by {factor['plain loop']:g}."
        )
    title = f"{size.schedules:,} schedules, {far}"
    return Section(title, table(head, rows) + note, targets)


def row(name: str, found: list[Pass], factor: float, middle: dict[str, float]) -> list[str]:
    creating = statistics.median(each.create for each in found) * factor
    reading = statistics.median(each.list for each in found) * factor
    least, most = (extreme(each.seconds for each in found) * factor for extreme in (min, max))
    calls = statistics.median(each.calls / each.seconds for each in found)
    create_cpu = statistics.median(each.create_cpu / each.schedules for each in found)
    list_cpu = statistics.median(each.list_cpu / each.schedules for each in found)
    return [
        name + (", multiplied" if factor != 1 else ""),
        f"{creating:.1f} s",
        f"{reading:.1f} s",
        f"{middle[name]:.1f} s",
        f"{least:.1f} to {most:.1f} s",
        f"{calls:,.0f}/s",
        duration(create_cpu),
        duration(list_cpu),
        f"{middle[name] / middle['thread pool']:.2f}×",
    ]


def memory(size: Size) -> Section:
    rows, peaks = [], list[int]()
    for count in (size.few, size.many):
        progress(f"memory over {count:,} schedules")
        with scheduler_stub.running(schedules=count) as port:
            seen, at_first, most = ask("peak", port, count)
        if seen != count:
            raise RuntimeError(f"{seen} of {count} schedules")
        peaks.append(most)
        rows.append([f"{count:,}", f"{at_first / 1e6:.1f} MB", f"{most / 1e6:.1f} MB"])
    head = ["schedules, listed lazily", "peak after the first hundred", "peak after all"]
    shown = ", ".join(f"{each / 1e6:.1f} MB" for each in peaks)
    flat = peaks[1] <= 1.05 * peaks[0]
    note = "\n\nThe whole process, with the interpreter, pydantic and boto3."
    return Section("Memory", table(head, rows) + note, [Target("a lazy list's memory is flat", shown, flat)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer schedules")
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
    stub = stub_alone()
    sections = [at_distance(0.0, size), at_distance(_DISTANCE, size), memory(size)]
    import boto3

    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    print(f"{python}, {machine}, boto3 {boto3.__version__}, {_WORKERS} threads. {stub}\n")
    print(
        table(
            ["target", "measured", ""],
            [
                [target.promise, target.measured, "met" if target.met else "**missed**"]
                for section in sections
                for target in section.targets
            ],
        )
    )
    for section in sections:
        print(f"\n### {section.title}\n\n{section.body}")
    progress("done")


if __name__ == "__main__":
    main()
