"""The machine of workflows as a definition: valid, in budget, and deciding as the rules in Python do."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows import failures
from stepsched.workflows.conditions import Condition, When
from stepsched.workflows.decisions import Failure, advance, after_failure
from stepsched.workflows.machine import graph_of, workflow_machine
from stepsched.workflows.machine.decide import AT_ONCE, decision, resets
from stepsched.workflows.machine.failing import AFTER_FAILURE, BATCH_KIND, RUN_KIND, UNCOUNTED
from stepsched.workflows.model import Step, Workflow
from stepsched.workflows.records import FailureKind, RestartAction, StepRun, StepStatus, WorkflowRun
from stepsched.workflows.restarts import plan_restart
from tests.parts.jsonata_engine import JsonataEngine, JsonataError

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
RUNNER = "arn:aws:states:eu-west-1:123456789012:stateMachine:runner"
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")
CODES = {
    StepStatus.RUNNING: "r",
    StepStatus.SUCCEEDED: "s",
    StepStatus.FAILED: "f",
    StepStatus.SKIPPED: "k",
    StepStatus.UPSTREAM_FAILED: "u",
    StepStatus.UNMET: "x",
    StepStatus.CANCELLED: "c",
}
MACHINE = workflow_machine("jobs", runner_arn=RUNNER)


@pytest.fixture(scope="module")
def engine() -> Iterator[JsonataEngine]:
    with JsonataEngine() as running:
        yield running


def test_the_definition_is_valid() -> None:
    assert MACHINE.check() == []
    text = MACHINE.to_json(indent=None)
    assert text.isascii()
    assert "${" not in text  # CloudFormation would substitute it
    assert len(text) < 200_000


def assigns(state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield state.get("Assign", {})
    for part in (*state.get("Catch", ()), *state.get("Choices", ())):
        yield part.get("Assign", {})


def expressions(value: Any) -> Iterator[str]:
    match value:
        case str() if value.startswith("{%"):
            yield value[2:-2].strip()
        case dict():
            for item in value.values():
                yield from expressions(item)
        case list():
            for item in value:
                yield from expressions(item)


@pytest.mark.parametrize("name", MACHINE.states)
def test_assignments_do_not_depend_on_their_order(name: str) -> None:
    """AWS evaluates all of them before the first is assigned; emulators assign one after another."""
    state = MACHINE.to_dict()["States"][name]
    for assigned in assigns(state):
        done = list[str]()
        for variable, value in assigned.items():
            for text in expressions(value):
                read = set(re.findall(r"\$(\w+)", text)) - set(re.findall(r"\$(\w+) :=", text))
                assert read.isdisjoint(done), variable
            done.append(variable)


def test_every_state_that_takes_events_counts_them() -> None:
    states = MACHINE.to_dict()["States"].values()
    counted = [state["Assign"]["spent"] for state in states if state["Type"] in ("Task", "Wait")]
    assert all("$spent + " in text for text in counted)


# -- decisions ----------------------------------------------------------------------------------------------


def random_flow(rng: random.Random, size: int) -> Workflow:
    steps = list[Step]()
    for number in range(size):
        names = [step.name for step in steps]
        needs = rng.sample(names, min(len(names), rng.choice((0, 1, 1, 2, 3))))
        when: When | Condition = rng.choice((When.SUCCEEDED,) * 4 + (When.DONE, When.FAILED))
        if needs and rng.random() < 0.25:
            when = Condition(step=rng.choice(needs), operator="==", value=1)
        steps.append(Step(f"s{number}", target=QUEUE, needs=needs, when=when))
    rng.shuffle(steps)
    return Workflow("flow", steps=steps, on_failure=rng.choice(("stop", "continue")))


def random_states(rng: random.Random, workflow: Workflow) -> dict[str, StepRun]:
    """States as a run may have them: the ones that the rules give, with some outcomes, or any."""
    found = {name: StepRun(name=name) for name in workflow.by_name}
    if rng.random() < 0.3:
        return {
            name: step.model_copy(update=outcome(rng, rng.choice(list(StepStatus))))
            for name, step in found.items()
        }
    for _ in range(rng.randrange(8)):
        step = advance(workflow, found, NOW)
        for left in step.left_out:
            if rng.random() < 0.8:
                found[left.name] = found[left.name].model_copy(
                    update={"status": left.status, "caused_by": left.caused_by}
                )
        for name in step.starts:
            status = rng.choice(
                (StepStatus.SUCCEEDED,) * 4 + (StepStatus.FAILED, StepStatus.RUNNING, StepStatus.SKIPPED)
            )
            found[name] = found[name].model_copy(update=outcome(rng, status))
    return found


def outcome(rng: random.Random, status: StepStatus) -> dict[str, Any]:
    more: dict[str, Any] = {"status": status}
    if status.has_ended:
        more["ended_at"] = NOW - timedelta(seconds=rng.randrange(100))
    if status is StepStatus.SUCCEEDED:
        more["output"] = rng.choice(("1", "2", None, "2" * 4_000))
    if status is StepStatus.PENDING and rng.random() < 0.3:
        more["retry_at"] = NOW + timedelta(seconds=rng.choice((-5, 0, 5, 50)))
    return more


def iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bindings(workflow: Workflow, states: Mapping[str, StepRun]) -> dict[str, Any]:
    graph = json.loads(graph_of(workflow))
    place = {step["n"]: step["i"] for step in graph["steps"]}
    failed = [
        each for each in states.values() if each.status is StepStatus.FAILED and each.ended_at is not None
    ]
    stopped: dict[str, Any] = {}
    if graph["stop"] and failed:
        stopped = {"name": min(failed, key=lambda each: (each.ended_at, each.name)).name}
    met = {
        place[step.name]: "long"
        if states[step.when.step].is_truncated
        else step.when.is_met(states[step.when.step].result)
        for step in workflow.steps
        if isinstance(step.when, Condition) and states[step.when.step].status is StepStatus.SUCCEEDED
    }
    return {
        "graph": graph,
        "names": {step["i"]: step["n"] for step in graph["steps"]},
        "at": {step["n"]: {"i": step["i"], "k": step["k"]} for step in graph["steps"]},
        "state": {
            place[name]: CODES[each.status]
            for name, each in states.items()
            if each.status is not StepStatus.PENDING
        },
        "causes": {place[name]: each.caused_by for name, each in states.items() if each.caused_by},
        "retry": {place[name]: iso(each.retry_at) for name, each in states.items() if each.retry_at},
        "met": met,
        "stopped": stopped,
    }


def test_the_machine_decides_as_the_rules_do(engine: JsonataEngine) -> None:
    rng = random.Random(17)
    flows = [random_flow(rng, rng.randrange(1, 14)) for _ in range(600)]
    runs = [(flow, random_states(rng, flow)) for flow in flows]
    text = decision()[2:-2].strip()
    answers = engine.evaluate_many([(text, bindings(*run)) for run in runs], now=NOW)
    for (workflow, states), found in zip(runs, answers, strict=True):
        expected = advance(workflow, states, NOW)
        left_out = {
            each["n"]: (
                each["S"]["state"],
                each["S"].get("caused_by"),
                each["S"]["reason"],
            )
            for each in found["out"]
        }
        assert left_out == {
            each.name: (each.status.value, each.caused_by, each.reason) for each in expected.left_out
        }
        assert {each["n"] for each in found["go"]} == set(expected.starts)
        assert found["asks"] == []
        if not found["out"]:
            assert found["ended"] == ("" if expected.status is None else expected.status.value)
        assert found["wake"] == ("" if expected.wakes_at is None else iso(expected.wakes_at))


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    -2.5,
    "",
    "ok",
    "1",
    [],
    [1],
    [1.0],
    {},
    {"a": 1},
    {"a": [None, 2]},
]
PATHS: list[list[str | int]] = [[], ["a"], [0], ["a", 1], ["__proto__"], ["toString"]]


def test_a_condition_is_met_as_in_python(engine: JsonataEngine) -> None:
    assign = MACHINE.to_dict()["States"]["Read condition"]["Assign"]["met"][2:-2].strip()
    cases = list[tuple[Condition, str | None]]()
    for output in (
        *map(json.dumps, VALUES),
        None,
        "no JSON",
        json.dumps("x" * 3_998),
        json.dumps("x" * 3_997),
    ):
        for path in PATHS:
            for value in VALUES:
                cases += [
                    (Condition(step="a", path=path, operator=o, value=value), output) for o in ("==", "!=")
                ]
            cases += [
                (Condition(step="a", path=path, operator=o, value=1), output) for o in ("<", "<=", ">", ">=")
            ]
    asked = [
        {
            "states": {"result": {"Item": {} if output is None else {"output": {"S": output}}}},
            "asks": [{"i": "1", "c": {"s": "a", "p": list(each.path), "o": each.operator, "v": each.value}}],
            "met": {"0": True},
        }
        for each, output in cases
    ]
    answers = engine.evaluate_many([(assign, each) for each in asked])
    for (condition, output), found in zip(cases, answers, strict=True):
        run = StepRun(name="a", status=StepStatus.SUCCEEDED, output=output)
        expected = "long" if run.is_truncated else condition.is_met(run.result)
        if output == "no JSON":  # outputs of the runner are JSON; the state catches this error
            assert isinstance(found, JsonataError)
        else:
            assert found == {"0": True, "1": expected}, (condition, output)


@pytest.mark.parametrize(
    ("stopped", "name"),
    [
        pytest.param({}, "early", id="of several that are written together"),
        pytest.param({"name": "first", "at": iso(NOW - timedelta(hours=1))}, "first", id="of one before"),
        pytest.param({"name": "z", "at": iso(NOW + timedelta(hours=1))}, "early", id="of one seen late"),
    ],
)
def test_a_run_is_stopped_by_the_step_that_failed_first(
    engine: JsonataEngine, stopped: dict[str, str], name: str
) -> None:
    failures = [
        {"c": "f", "n": each, "i": str(number), "S": {"ended_at": iso(NOW + timedelta(seconds=late))}}
        for number, (each, late) in enumerate((("late", 5), ("early", 1), ("same", 1)))
    ]
    assign = MACHINE.to_dict()["States"]["Write"]["Assign"]["stopped"]
    variables = {"changes": failures, "graph": {"stop": True}, "stopped": stopped}
    assert engine.evaluate(assign[2:-2].strip(), variables)["name"] == name
    assert engine.evaluate(assign[2:-2].strip(), {**variables, "graph": {"stop": False}}) == stopped


def test_a_restart_runs_the_same_steps_as_the_plan_in_python(engine: JsonataEngine) -> None:
    rng = random.Random(18)
    flows = [random_flow(rng, rng.randrange(1, 14)) for _ in range(300)]
    runs = [(flow, finished(rng, flow)) for flow in flows]
    answers = engine.evaluate_many([(f"( {resets()} )", bindings(*run)) for run in runs])
    for (workflow, states), found in zip(runs, answers, strict=True):
        run = WorkflowRun(
            workflow="flow",
            id="one",
            status="failed",
            version=1,
            started_at=NOW,
            steps=tuple(states[step.name] for step in workflow.steps),
        )
        plan = plan_restart(workflow, run)
        names = [step["n"] for step in json.loads(graph_of(workflow))["steps"]]
        again = {each.name for each in plan.steps if each.action is RestartAction.RUN}
        assert {names[int(place)] for place in found} == {
            name for name in again if states[name].status is not StepStatus.PENDING
        }
        assert found == sorted(found, key=int, reverse=True)


def finished(rng: random.Random, workflow: Workflow) -> dict[str, StepRun]:
    """The states of an ended run."""
    found = {name: StepRun(name=name) for name in workflow.by_name}
    while True:
        step = advance(workflow, found, NOW)
        if step.status is not None:
            return found
        for left in step.left_out:
            update = {"status": left.status, "caused_by": left.caused_by}
            found[left.name] = found[left.name].model_copy(update=update)
        for name in step.starts:
            status = rng.choice((StepStatus.SUCCEEDED,) * 4 + (StepStatus.FAILED, StepStatus.SKIPPED))
            found[name] = found[name].model_copy(update=outcome(rng, status))


def test_steps_on_batch_start_while_jobs_that_they_need_run(engine: JsonataEngine) -> None:
    job = ss.BatchTarget("definition", job_queue="queue")
    steps = [
        Step("a", target=job),
        Step("b", target=job, needs=["a"]),
        Step("c", target=job, needs=["a", "b"]),
        Step("uses", target=job, needs=["a"], input={"x": ss.workflows.output_of("a", "job_id")}),
        Step("other", target=QUEUE, needs=["a"]),
    ]
    text = decision()[2:-2].strip()
    workflow = Workflow("flow", steps=steps)
    given = bindings(workflow, {name: StepRun(name=name) for name in workflow.by_name})
    assert [each["n"] for each in engine.evaluate(text, given)["go"]] == ["a", "b", "c"]
    assert [each["n"] for each in engine.evaluate(text, {**given, "state": {"0": "b"}})["go"]] == ["b", "c"]
    # A job without a known id cannot be depended on.
    assert engine.evaluate(text, {**given, "state": {"0": "r"}})["go"] == []


def test_a_thousand_steps_are_decided_within_the_depth_that_aws_allows(engine: JsonataEngine) -> None:
    steps = [
        Step(f"s{n}", target=QUEUE, needs=[f"s{m}" for m in range(max(0, n - 3), n)]) for n in range(1_000)
    ]
    workflow = Workflow("flow", steps=steps)
    given = bindings(workflow, {name: StepRun(name=name) for name in workflow.by_name})
    failed = engine.measure(decision()[2:-2].strip(), {**given, "state": {"0": "f"}})
    assert len(failed.result["out"]) == AT_ONCE
    assert failed.depth < 50


# -- failures -----------------------------------------------------------------------------------------------

RULE_TEXTS = [rule.text for rule in failures.RULES]
REASONS = [
    *RULE_TEXTS,
    *map(str.title, RULE_TEXTS),
    "Dependent Job failed",
    "exit 3",
    "",
    '"Status": "ABORTED"',
]


def test_failures_of_jobs_are_told_apart_as_in_python(engine: JsonataEngine) -> None:
    cases = [
        (says, why, ended)
        for says in REASONS
        for why in ("", "OutOfMemory", RULE_TEXTS[9])
        for ended in (False, True)
    ]
    text = f"( {BATCH_KIND} $kind_of($job).kind )"
    jobs = [
        {"job": {"StatusReason": says, "Container": {"Reason": why} if why else {}, "IsTerminated": ended}}
        for says, why, ended in cases
    ]
    found = engine.evaluate_many([(text, job) for job in jobs])
    expected = [
        failures.batch_failure(says, why or None, ended_by_operator=ended) for says, why, ended in cases
    ]
    assert found == [UNCOUNTED if kind is None else kind.value for kind in expected]


def test_failures_of_runs_are_told_apart_as_in_python(engine: JsonataEngine) -> None:
    cases = [(error, cause) for error in ("States.TaskFailed", "States.Timeout") for cause in REASONS]
    text = f"( {RUN_KIND} $kind_of($error, $cause, $node).kind )"
    given = [{"error": error, "cause": cause, "node": {"e": 1}} for error, cause in cases]
    assert engine.evaluate_many([(text, each) for each in given]) == [
        failures.failure_of(error, cause).value for error, cause in cases
    ]
    # The errors of other targets are texts of users.
    assert engine.evaluate(text, {**given[0], "cause": "SpotInterruption", "node": {}}) == "job"


@pytest.mark.parametrize(
    "retry",
    [
        ss.Retry(
            max_attempts=3, interval=timedelta(seconds=2), backoff_rate=3, max_delay=timedelta(seconds=10)
        ),
        ss.Retry(pauses=[timedelta(seconds=5), timedelta(minutes=5), timedelta(seconds=0.5)]),
        ss.Retry(pauses=[timedelta(seconds=5)]),
    ],
    ids=["grown", "one by one", "one"],
)
def test_a_failed_attempt_is_repeated_as_in_python(engine: JsonataEngine, retry: ss.Retry) -> None:
    step = Step("a", target=QUEUE, retry=retry)
    graph = json.loads(graph_of(Workflow("flow", steps=[step])))
    text = f"( {AFTER_FAILURE} $after($entry, $kind, 'oh', $ms, $graph.steps[0]) )"
    ms = int(NOW.timestamp() * 1000)
    for kind in FailureKind:
        for failures_, losses in ((0, 0), (1, 0), (2, 2), (3, 3), (4, 1)):
            run = StepRun(name="a", status="running", failures=failures_, losses=losses)
            expected = after_failure(step, run, Failure(kind, "oh", NOW))
            entry = {"i": "0", "n": "a", "a": 1}
            fails = {"0": {"f": failures_, "l": losses}}
            given = {"graph": graph, "entry": entry, "kind": kind.value, "ms": ms, "fails": fails}
            found = engine.evaluate(text, given)
            assert found["S"]["state"] == expected.status.value
            assert found["N"] == {"failures": str(expected.failures), "losses": str(expected.losses)}
            assert found["S"].get("retry_at") == (
                None if expected.retry_at is None else iso(expected.retry_at)
            )
            assert found["S"].get("ended_at") == (
                None if expected.ended_at is None else iso(expected.ended_at)
            )
