"""What Amazon States Language costs, beside the peers, in one run.

    pip install . && python benchmarks/asl.py

Renders, checks, reads, writes and draws definitions; then builds one and the same definition with every peer,
and has right definitions checked by every checker. The peers are installed into environments of their own, in
a temporary folder, which takes some minutes and a good gigabyte; ``--environments FOLDER`` keeps them for the
next run. What cannot be installed is left out, and the report says so. stepscribe needs Python 3.12:
``--stepscribe PYTHON`` names one.

Every peer is a process of its own that has imported it before; they take turns. Prints Markdown to the
standard output and its progress to the standard error. ``--quick`` measures shorter, to see that everything
works.
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
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asl_environments import Environment, Environments, MissingError
from asl_machines import jobs, long_machine, states_of
from asl_peers import stepsched_builds
from measuring import (
    FULL,
    QUICK,
    Contender,
    Effort,
    Section,
    Target,
    Timing,
    duration,
    measure,
    progress,
    table,
    times,
)

import stepsched as ss
from stepsched import asl

HERE = Path(__file__).resolve().parent
_LANGUAGES = ("JSONata", "JSONPath")
_UNITS = {13: 4, 100: 33}
"""States of the loop that all build, and of how many units it is made."""
_PATIENCE = 120


def repeated(call: Callable[[], object]) -> Contender:
    """A pass of one call."""

    def contender(_: int) -> int:
        call()
        return 1

    return contender


# -- stepsched alone -----------------------------------------------------------------------------------


def rendering(effort: Effort) -> Section:
    """A job as a machine, for every kind of schedule."""
    rows, worst = [], 0.0
    for kind, job in jobs().items():
        progress(f"rendering: {kind}")
        machine = ss.render_asl(job)
        assert machine.check() == []
        calls: dict[str, Callable[[], object]] = {
            "render": lambda job=job: ss.render_asl(job),
            "check": machine.check,
            "write": lambda machine=machine: machine.to_json(indent=None),
            "render and check": lambda job=job: ss.render_asl(job).check(),
        }
        timings = measure({name: repeated(call) for name, call in calls.items()}, effort)
        worst = max(worst, timings["render and check"].best)
        states = f"{states_of(machine.to_dict())}, {len(machine.to_json(indent=None)) / 1000:.1f} kB"
        rows.append([kind, states, *(duration(timings[name].best) for name in calls)])
    head = ["schedule", "states", "`render_asl`", "`check`", "`to_json(indent=None)`", "render and check"]
    target = Target(
        "render and check a job's machine: under 1 ms", f"at most {duration(worst)}", worst < 1e-3
    )
    return Section("A job as a machine", table(head, rows), [target])


_COLD = {
    "nothing": "",
    "`import pydantic`, and a model of one field": (
        "import pydantic\nclass Model(pydantic.BaseModel):\n    field: int"
    ),
    "a `Job`": "{job}",
    "a `Job`, rendered": "{job}; m = s.render_asl(j)",
    "a `Job`, rendered, checked and written": "{job}; m = s.render_asl(j); m.check(); m.to_json()",
    "a definition of 100 states, checked": "import json, stepsched.asl as a; a.check(json.loads({text!r}))",
}
_A_JOB = (
    "import stepsched as s; j = s.Job(name='work', schedule=s.Cron('0 9 ? * MON-FRI *', "
    "timezone='Europe/Paris'), target=s.LambdaTarget("
    "'arn:aws:lambda:eu-west-1:123456789012:function:work'))"
)


def cold(count: int) -> Section:
    """The CPU time of fresh interpreters, in alternation."""
    text = json.dumps(long_machine(100, "JSONata"))
    codes = {name: code.format(job=_A_JOB, text=text) for name, code in _COLD.items()}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for number in range(count):
        if not number % 5:
            progress(f"cold: round {number + 1} of {count}")
        for name, code in codes.items():
            begun = _children()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds[name].append(_children() - begun)
    median = {name: statistics.median(all_) for name, all_ in seconds.items()}
    nothing = median["nothing"]
    rows = [[name, duration(value), duration(max(value - nothing, 0))] for name, value in median.items()]
    return Section("Cold", table(["a fresh interpreter with", "CPU, median", "over nothing"], rows), [])


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def definitions(effort: Effort) -> Section:
    """Long definitions: checked, read, written, drawn."""
    rows, targets = [], list[Target]()
    for states in (100, 1_000):
        for language in _LANGUAGES:
            progress(f"a definition of {states:,} states, {language}")
            document = long_machine(states, language)
            text = json.dumps(document)
            machine = asl.parse(text)
            assert asl.check(document) == []
            assert machine.to_dict() == document
            calls: dict[str, Callable[[], object]] = {
                "check": lambda document=document: asl.check(document),
                "from text": lambda text=text: asl.check(text),
                "read and write": lambda text=text: asl.parse(text).to_json(indent=None),
                "bare": lambda text=text: json.dumps(json.loads(text)),
                "indented": machine.to_json,
                "budget": machine.budget,
                "mermaid": machine.to_mermaid,
                "dot": machine.to_dot,
                "svg": machine.to_svg,
            }
            timings = measure({name: repeated(call) for name, call in calls.items()}, effort)
            timings |= measure({"unseen": _unseen(states, language, effort)}, effort, repeatable=False)
            best = {name: timing.best for name, timing in timings.items()}
            rows.append(
                [
                    f"{states:,} states, {language}, {len(text) / 1000:,.0f} kB",
                    f"{duration(best['check'])}, {duration(best['check'] / states)} each",
                    duration(best["unseen"]),
                    duration(best["from text"]),
                    f"{duration(best['read and write'])}, {times(best['read and write'] / best['bare'])}",
                    *(duration(best[name]) for name in ("indented", "budget", "mermaid", "dot", "svg")),
                ]
            )
            if states == 100:
                promise = f"check 100 states of {language}: under 20 ms"
                told = (
                    f"{duration(best['check'])}; {duration(best['unseen'])} for expressions not seen before"
                )
                targets.append(Target(promise, told, best["unseen"] < 20e-3))
    head = [
        *("a definition of", "`check`", "its expressions not seen before", "`check` of its text"),
        "`parse`, `to_json(indent=None)`",
        *("`to_json()`", "`budget`", "`to_mermaid`", "`to_dot`", "`to_svg`"),
    ]
    note = (
        "\n\nExpressions and paths are kept once read, up to 4,096 of each kind: hence the second column. "
        "With × stands how many times the cost of bare `json.loads` and `json.dumps` that is. All that "
        "begins with a machine takes one that was read before."
    )
    return Section("Long definitions", table(head, rows) + note, targets)


def _unseen(states: int, language: str, effort: Effort) -> Contender:
    """A pass checks a definition whose expressions and paths nobody has read before."""
    alphabet = "abcdefghij"
    documents = [long_machine(states, language, mark=alphabet[turn]) for turn in range(effort.rounds + 1)]

    def contender(number: int) -> int:
        assert asl.check(documents[number]) == []
        return 1

    return contender


# -- the peers -----------------------------------------------------------------------------------------


class Peer(NamedTuple):
    """A package, and how it is started."""

    name: str
    environment: Environment
    server: list[str]
    imports: list[str]
    """What loads it in a fresh process."""
    bare: list[str]
    """A fresh process that loads nothing."""
    once: list[str] | None
    """A fresh process that prints one definition; None for a checker."""


class Plan(NamedTuple):
    """How a peer of Python is installed and imported."""

    name: str
    packages: list[str]
    imports: str
    node: bool = False


BUILDERS = (
    Plan("stepsched", [str(HERE.parent)], "from stepsched import asl; asl.StateMachine"),
    Plan(
        "aws-cdk-lib",
        ["aws-cdk-lib==2.275.0"],
        "from aws_cdk import aws_stepfunctions, aws_stepfunctions_tasks, aws_lambda, App; App()",
        node=True,
    ),
    Plan(  # what it was written for: it says neither
        "stepfunctions",
        ["stepfunctions==2.3.0", "sagemaker<3", "setuptools<81"],
        "from stepfunctions.steps import states",
    ),
    Plan("stepscribe", ["stepscribe==0.4.0"], "import stepscribe"),
    Plan("aws-sfn-builder", ["aws-sfn-builder==0.0.10"], "import aws_sfn_builder"),
    Plan("py-asl", ["py-asl==0.1.4"], "import py_asl"),
    Plan("stairstep", ["stairstep==0.1"], "import stairstep"),
)
CHECKERS = (
    Plan("statelint", ["statelint==3.1.0"], "import statelint.linter"),
    Plan("cfn-lint", ["cfn-lint==1.51.5"], "import cfnlint.runner, cfnlint.config"),
)
_ASL_VALIDATOR = "4.0.0"


def python_peer(plan: Plan, environments: Environments, python: str) -> Peer:
    """Installs a peer and sees that it can be imported.

    stepsched itself answers from the environment that runs this; its size is that of a fresh one.

    Raises:
        MissingError: It cannot be installed, or not imported.
    """
    environment = environments.python(plan.name, plan.packages, python, node=plan.node)
    if plan.name == "stepsched":
        environment = environment._replace(program=sys.executable)
    program = [environment.program, str(HERE / "asl_peers.py"), plan.name]
    loads = [[environment.program, "-c", code] for code in (plan.imports, "")]
    once = [*program, str(_UNITS[13])] if plan in BUILDERS else None
    peer = Peer(plan.name, environment, program, *loads, once)
    try:
        _wall(peer.imports, peer)
    except subprocess.CalledProcessError as error:
        raise MissingError(error.stderr.decode().strip().rpartition("\n")[2]) from error
    return peer


def node_peers(environments: Environments) -> list[Peer]:
    environment = environments.packages_of_node("asl-validator", _ASL_VALIDATOR)
    program = [environment.program, str(HERE / "asl_validator.js")]
    loads = [[environment.program, "-e", code] for code in ("require('asl-validator')", "")]
    return [
        Peer("asl-validator", environment, program, *loads, None),
        Peer("asl-validator, schemas compiled once", environment, [*program, "once"], *loads, None),
    ]


class Talk:
    """A process that answers for a peer."""

    def __init__(self, peer: Peer) -> None:
        self._process = subprocess.Popen(
            peer.server,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=dict(peer.environment.variables),
        )

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(told) if told else {"error": "it ended"}
        return answer

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_PATIENCE)


class Asked(NamedTuple):
    """What the peers said to one request."""

    timings: dict[str, Timing]
    answers: dict[str, Any]
    errors: dict[str, str]


def ask(talks: Mapping[str, Talk], requests: Mapping[str, Mapping[str, Any]], rounds: int) -> Asked:
    """One request to each, in turns, after a round that warms up; seconds of the clock."""
    seconds: dict[str, list[float]] = {name: [] for name in requests}
    answers: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for number in range(rounds + 1):
        for name, request in requests.items():
            if name in errors:
                continue
            told = talks[name].ask(request)
            if "error" in told:
                errors[name] = told["error"]
                continue
            answers[name] = told["answer"]
            if number:
                seconds[name].append(told["seconds"])
    timings = {
        name: Timing(min(all_), statistics.median(all_))
        for name, all_ in seconds.items()
        if all_ and name not in errors
    }
    return Asked(timings, answers, errors)


def loads(peers: list[Peer], rounds: int) -> dict[str, float]:
    """Seconds of the clock that loading takes beyond an empty process; medians."""
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        progress(f"imports of the peers: round {number + 1} of {rounds}")
        for peer in peers:
            loaded, bare = _wall(peer.imports, peer), _wall(peer.bare, peer)
            seconds[peer.name].append(loaded - bare)
    return {name: statistics.median(all_) for name, all_ in seconds.items()}


def _wall(command: list[str], peer: Peer) -> float:
    begun = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        env=dict(peer.environment.variables),
        capture_output=True,
        timeout=_PATIENCE,
    )
    return time.perf_counter() - begun


def _same(name: str, text: str, units: int) -> None:
    """That a peer built the definition that was asked for."""
    built, wanted = json.loads(text), json.loads(stepsched_builds(units))
    if name == "stepscribe":  # its language is JSONata, said in every state
        wanted = json.loads(json.dumps(wanted).replace('"SecondsPath": "$.', '"Seconds": "$.'))
        for state in built["States"].values():
            assert state.pop("QueryLanguage") == built["QueryLanguage"] == "JSONata"
            if state["Type"] == "Task":
                assert state.pop("Arguments") == {}
        wanted["QueryLanguage"] = "JSONata"
        for state in wanted["States"].values():
            match state["Type"]:
                case "Wait":
                    state["Seconds"] = "{% $states.input.wait %}"
                case "Choice":
                    state["Choices"] = [
                        {"Condition": "{% $states.input.again %}", "Next": rule["Next"]}
                        for rule in state["Choices"]
                    ]
    assert built == wanted, f"{name} builds something else"


def building(peers: list[Peer], rounds: int) -> Section:
    """The same definition, built by the API of each and written as text."""
    imported = loads(peers, max(rounds, 3))
    talks = {peer.name: Talk(peer) for peer in peers}
    checked = peers[0]._replace(name="stepsched, and checked")
    checked = checked._replace(server=[*checked.server[:-1], checked.name])
    talks[checked.name] = Talk(checked)
    results: dict[int, Asked] = {}
    for states, units in _UNITS.items():
        progress(f"building {states} states")
        results[states] = ask(talks, {name: {"units": units} for name in talks}, rounds)
        for name, text in results[states].answers.items():
            _same(name, text, units)
    for talk in talks.values():
        talk.end()
    fresh: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(max(rounds, 3)):
        progress(f"building in a fresh process: round {number + 1}")
        for peer in peers:
            if peer.once is not None and peer.name not in results[13].errors:
                fresh[peer.name].append(_wall(peer.once, peer))
    first = {name: statistics.median(all_) for name, all_ in fresh.items() if all_}
    rows = []
    for peer in (peers[0], checked, *peers[1:]):
        ours = peer.name.startswith("stepsched")
        name = peer.name if ours else f"{peer.name} {peer.environment.version}"
        cells = [_cell(asked.timings, peer.name, ours=ours) for asked in results.values()]
        once = "-"
        if peer.name in first:
            ratio = "" if ours else f" ({times(first[peer.name] / first['stepsched'])})"
            once = f"{duration(first[peer.name])}{ratio}"
        imports = duration(imported[peer.name]) if peer.name in imported else "-"
        rows.append([name, f"{peer.environment.megabytes:,.0f} MB", imports, *cells, once])
    head = ["", "installed", "import", "13 states", "100 states", "13 states, in a fresh process"]
    return Section("One definition, built by each", table(head, rows) + _told(results), [])


def checking(peers: list[Peer], rounds: int) -> Section:
    """Right definitions, checked by each in a warm process."""
    imported = loads(peers, max(rounds, 3))
    documents = {
        "a rendered `Cron`": ss.render_asl(jobs()["`Cron`"]).to_dict(),
        **{f"100 states, {language}": long_machine(100, language) for language in _LANGUAGES},
    }
    talks = {peer.name: Talk(peer) for peer in peers}
    results: dict[str, Asked] = {}
    for words, document in documents.items():
        progress(f"checking {words}")
        results[words] = ask(talks, {name: {"definition": document} for name in talks}, rounds)
    for talk in talks.values():
        talk.end()
    rows = []
    for peer in peers:
        ours = peer.name == "stepsched"
        name, _, way = peer.name.partition(", ")
        name = name if ours else f"{name} {peer.environment.version}{way and ', ' + way}"
        cells = [_cell(asked.timings, peer.name, ours=ours) for asked in results.values()]
        found = ", ".join(
            str(len(asked.answers[peer.name])) if peer.name in asked.timings else "-"
            for asked in results.values()
        )
        size = f"{peer.environment.megabytes:,.0f} MB"
        rows.append([name, size, duration(imported[peer.name]), *cells, found])
    head = ["", "installed", "import", *documents, "findings, wrongly"]
    return Section("Right definitions, checked by each", table(head, rows) + _told(results), [])


def _cell(timings: Mapping[str, Timing], name: str, *, ours: bool) -> str:
    if name not in timings:
        return "-"
    best = timings[name].best
    against = timings["stepsched"].best
    return duration(best) if ours else f"{duration(best)} ({times(best / against)})"


def _told(results: Mapping[Any, Asked]) -> str:
    lines = {f"{name}: {error}" for asked in results.values() for name, error in asked.errors.items()}
    return "".join(f"\n\n- {line}" for line in sorted(lines))


def peers_of(environments: Environments, newer: str, missing: list[str]) -> tuple[list[Peer], list[Peer]]:
    """Those that build and those that check; why the others are not here goes into ``missing``."""
    builders, checkers = list[Peer](), list[Peer]()
    for plan in (*BUILDERS, *CHECKERS):
        try:
            peer = python_peer(plan, environments, newer if plan.name == "stepscribe" else sys.executable)
        except MissingError as error:
            missing.append(f"{plan.name}: {error}")
            continue
        (builders if plan in BUILDERS else checkers).append(peer)
    try:
        checkers += node_peers(environments)
    except MissingError as error:
        missing.append(f"asl-validator: {error}")
    if not builders or builders[0].name != "stepsched":
        raise SystemExit(f"stepsched itself cannot be installed: {missing[0]}")
    return builders, [builders[0]._replace(once=None), *checkers]


# -- the report ----------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="shorter, and less exact")
    parser.add_argument("--environments", type=Path, metavar="FOLDER", help="keeps the peers there")
    parser.add_argument("--stepscribe", default=sys.executable, metavar="PYTHON", help="3.12 or newer")
    options = parser.parse_args()
    effort, rounds, fresh = (QUICK, 2, 3) if options.quick else (FULL, 7, 15)
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        environments = Environments((options.environments or Path(folder)).resolve())
        builders, checkers = peers_of(environments, options.stepscribe, missing)
        load = os.getloadavg()[0]
        sections = [
            rendering(effort),
            cold(fresh),
            definitions(effort),
            building(builders, rounds),
            checking(checkers, rounds),
        ]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    print(f"{python}, {system}; the load was {load:.2f} before.\n")
    promises = [
        [target.promise, target.measured, "met" if target.met else "**missed**"]
        for section in sections
        for target in section.targets
    ]
    print(table(["target", "measured", ""], promises))
    for section in sections:
        print(f"\n### {section.title}\n\n{section.body}")
    for reason in missing:
        print(f"\n- left out: {reason}")
    progress("done")


if __name__ == "__main__":
    main()
