"""What the driver reads of a workflow: graphs, instructions with places for references, names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

import stepsched as ss
from stepsched.core.context import EXECUTION_ID
from stepsched.workflows import input_of, references
from stepsched.workflows.machine import graph_of, names, step_instructions, workflow_machine
from stepsched.workflows.machine.instructions import MAX_ANSWER, MAX_GRAPH, MAX_INPUT, MAX_READS
from tests.parts.jsonata_engine import JsonataEngine

QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")
FIFO_QUEUE = ss.QueueTarget(f"{QUEUE.queue_arn}.fifo", message_group_id="g")
FIFO_TOPIC = ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:t.fifo")
FUNCTION = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:f")
MACHINE = ss.StateMachineTarget("arn:aws:states:eu-west-1:123456789012:stateMachine:m")
BATCH = ss.BatchTarget("definition", job_queue="queue", parameters={"x": "1"})
FILL = workflow_machine("jobs", runner_arn=MACHINE.state_machine_arn).to_dict()["States"]["Fill"]["Assign"]


@pytest.fixture(scope="module")
def engine() -> Iterator[JsonataEngine]:
    with JsonataEngine() as running:
        yield running


def flow(target: ss.targets.Target, given: JsonValue, **more: Any) -> ss.Workflow:
    first, second = ss.Step("first", target=BATCH), ss.Step("second", target=BATCH)
    needs = [first, second]
    return ss.Workflow(
        "flow", steps=[first, second, ss.Step("last", target=target, needs=needs, input=given, **more)]
    )


def filled(engine: JsonataEngine, plan: dict[str, Any], outputs: dict[str, Any], given: Any) -> Any:
    """The instructions with their references filled in, as the driver does it; or why it cannot."""
    boxes = {name: {"v": value} for name, value in outputs.items()}
    bindings = {"plan": plan, "outputs": boxes, "input": given}
    refusal = engine.evaluate(FILL["refusal"][2:-2].strip(), bindings)
    return refusal or json.loads(engine.evaluate(FILL["filled"][2:-2].strip(), bindings))


OUTPUTS: dict[str, Any] = {
    "first": {
        "rows": [[1, [2]], {"a b": None}],
        "text": 'it\'s "{% $x %}" \\ \u00e9\n',
        "n": 0.5,
        "no": False,
    },
    "second": [[], [[]], "x"],
}
RUN: dict[str, Any] = {"date": "2030-01-01", "constructor": 1, "list": [1]}
INPUTS: list[Any] = [
    ss.workflows.output_of("first"),
    ss.workflows.output_of("second"),
    ss.workflows.output_of("second", 1),
    ss.workflows.output_of("first", "rows", 0, 1),
    ss.workflows.output_of("first", "rows", 1, "a b"),
    ss.workflows.output_of("first", "text"),
    ss.workflows.output_of("first", "n"),
    input_of(),
    input_of("constructor"),
    {"a": [ss.workflows.output_of("second"), {"b": input_of("list", 0)}], "reference-0-": "reference-1-"},
    {"{% 1 %}": input_of("date"), "same": [input_of("date"), input_of("date")], "plain": "{% $x %}"},
]
MISSING: list[Any] = [
    ss.workflows.output_of("first", "nothing"),
    ss.workflows.output_of("first", "rows", 2),
    ss.workflows.output_of("first", "rows", "0"),
    ss.workflows.output_of("first", "text", 0),
    input_of("toString"),
    input_of("list", 1),
]


@pytest.mark.parametrize("given", INPUTS, ids=json.dumps)
def test_references_are_filled_in_as_in_python(engine: JsonataEngine, given: Any) -> None:
    expected = references.resolve(given, OUTPUTS, RUN)
    for target in (FUNCTION, MACHINE, QUEUE):
        workflow = flow(target, given)
        found = filled(engine, step_instructions(workflow, workflow.by_name["last"]), OUTPUTS, RUN)
        arguments = found["arguments"]
        if target is FUNCTION:
            assert arguments["Payload"] == expected
        elif target is MACHINE:
            whole = "$output" in given or "$input" in given
            assert (json.loads(arguments["Input"]) if whole else arguments["Input"]) == expected
        else:
            body = arguments["MessageBody"]
            assert (body if isinstance(expected, str) else json.loads(body)) == expected


def test_the_body_of_a_call_has_the_output_of_another_step(engine: JsonataEngine) -> None:
    """The headers of the run are no reason to refuse it, as the attributes of a FIFO queue are."""
    url = ss.HttpTarget(
        "https://example.com/hook",
        connection_arn="arn:aws:events:eu-west-1:123456789012:connection/hooks/0b64b4c9-7f0c-4ad6-8c0e-7e2f7a4f0c11",
    )
    workflow = flow(url, {"rows": ss.workflows.output_of("first", "rows"), "date": input_of("date")})
    found = filled(engine, step_instructions(workflow, workflow.by_name["last"]), OUTPUTS, RUN)
    assert found["arguments"]["RequestBody"] == {"rows": OUTPUTS["first"]["rows"], "date": RUN["date"]}
    assert found["arguments"]["Headers"]["stepsched-job"].endswith("%2Flast")


@pytest.mark.parametrize("given", MISSING, ids=json.dumps)
def test_a_missing_part_is_said_as_in_python(engine: JsonataEngine, given: Any) -> None:
    workflow = flow(FUNCTION, {"x": given})
    plan = step_instructions(workflow, workflow.by_name["last"])
    with pytest.raises(references.MissingValueError) as expected:
        references.resolve(given, OUTPUTS, RUN)
    assert filled(engine, plan, OUTPUTS, RUN) == str(expected.value)
    assert filled(engine, plan, {}, {}) != ""


def test_an_output_that_is_too_long_is_refused_by_name(engine: JsonataEngine) -> None:
    workflow = flow(FUNCTION, ss.workflows.output_of("first"))
    plan = step_instructions(workflow, workflow.by_name["last"])
    bindings = {"plan": plan, "outputs": {"first": {"long": True}}, "input": {}}
    assert engine.evaluate(FILL["refusal"][2:-2].strip(), bindings) == (
        "step 'first': its output is longer than 4,000 characters; write it elsewhere and pass its location"
    )


def test_members_of_the_input_are_parameters_of_a_batch_job(engine: JsonataEngine) -> None:
    given: dict[str, Any] = {
        "x": ss.workflows.output_of("first", "n"),
        "text": ss.workflows.output_of("first", "text"),
        "list": [ss.workflows.output_of("second", 2)],
        "number": 2,
    }
    workflow = flow(BATCH, given, timeout=timedelta(minutes=2))
    plan = step_instructions(workflow, workflow.by_name["last"])
    assert filled(engine, plan, OUTPUTS, RUN) == {
        "JobQueue": "queue",
        "JobDefinition": "definition",
        "Parameters": {"x": "0.5", "text": OUTPUTS["first"]["text"], "list": '["x"]', "number": "2"},
        "Timeout": {"AttemptDurationSeconds": 120},
    }


def test_the_hidden_job_runs_once_and_waits() -> None:
    workflow = flow(MACHINE, {}, retry=ss.Retry(max_attempts=5), timeout=timedelta(hours=1))
    (part,) = step_instructions(workflow, workflow.by_name["last"])["parts"]
    instructions = json.loads(part)
    assert instructions["call"] == "states:startExecution.sync:2"
    assert (instructions["retry"]["attempts"], instructions["timeout"]) == (0, 3600)
    assert (instructions["overlap"], instructions["gone"], instructions["stops"]) == ("allow", False, False)


@pytest.mark.parametrize("target", [ss.HandlerTarget("books:close"), ss.CommandTarget(["true"])])
def test_what_aws_cannot_invoke_is_refused(target: ss.targets.Target) -> None:
    workflow = flow(target, {})
    with pytest.raises(ValueError, match="AWS cannot invoke"):
        step_instructions(workflow, workflow.by_name["last"])


def test_references_beside_context_attributes_are_refused() -> None:
    workflow = flow(FUNCTION, {"a": input_of("x"), "b": EXECUTION_ID})
    with pytest.raises(ValueError, match="beside a context attribute"):
        step_instructions(workflow, workflow.by_name["last"])


@pytest.mark.parametrize("target", [FIFO_QUEUE, FIFO_TOPIC])
def test_references_beside_a_deduplication_id_are_refused(target: ss.Target) -> None:
    """The runner fills in the whole call: an output with the text of a context attribute would change."""
    workflow = flow(target, {"a": input_of("x")})
    with pytest.raises(ValueError, match="beside a deduplication ID of FIFO"):
        step_instructions(workflow, workflow.by_name["last"])
    plain = flow(target, {"a": 1})
    assert step_instructions(plain, plain.by_name["last"])["refs"] == []


def test_an_input_that_is_too_large_is_refused() -> None:
    """As text in JSON in a row of the table it would not fit into one variable."""
    graph_of(ss.Workflow("flow", steps=[ss.Step("a", target=QUEUE)], input='"' * (MAX_INPUT // 2 - 1)))
    with pytest.raises(ValueError, match=f"an input of at most {MAX_INPUT:,} bytes, got {MAX_INPUT + 2:,}"):
        graph_of(ss.Workflow("flow", steps=[ss.Step("a", target=QUEUE)], input='"' * (MAX_INPUT // 2)))


def test_a_graph_whose_text_is_too_large_is_refused() -> None:
    """The machine reads it as text in JSON, where each quote has two bytes."""
    steps = [
        ss.Step(f"{n}", target=QUEUE, needs=[f"{m}" for m in range(max(0, n - 12), n)]) for n in range(1_850)
    ]
    with pytest.raises(ValueError, match=f"and {MAX_ANSWER:,} as text in JSON"):
        graph_of(ss.Workflow("flow", steps=steps))


def test_too_many_outputs_are_refused() -> None:
    firsts = [ss.Step(f"s{n}", target=QUEUE) for n in range(MAX_READS + 1)]
    last = ss.Step("last", target=QUEUE, needs=firsts, input=[each.output() for each in firsts])
    workflow = ss.Workflow("flow", steps=[*firsts, last])
    with pytest.raises(ValueError, match="at most 50 steps, got 51"):
        step_instructions(workflow, last)


def test_a_graph_that_is_too_large_is_refused() -> None:
    steps = [
        ss.Step(f"{n:064}", target=QUEUE, needs=[f"{m:064}" for m in range(max(0, n - 20), n)])
        for n in range(1_500)
    ]
    with pytest.raises(ValueError, match=f"at most {MAX_GRAPH:,} bytes"):
        graph_of(ss.Workflow("flow", steps=steps))


def test_names_are_the_same_in_python_and_in_the_machine(engine: JsonataEngine) -> None:
    for step, base in (("a.b", None), ("-x", None), ("x" * 64, "given_name")):
        bindings = {"wf": "w {% 1 %}", "run": "r:1", "step": {"n": step}, "attempt": 12}
        bindings["plan"] = {"base": names.batch_base(base or step)}
        key = ("w {% 1 %}", "r:1", step, 12)
        assert engine.evaluate(names.batch_name(), bindings) == names.batch_job_name(*key, base=base)
        assert engine.evaluate(names.token_of(), bindings) == names.attempt_token(*key)
        assert engine.evaluate(names.execution_of(), bindings) == names.runner_execution_name(*key)
    assert names.batch_job_name("w", "r", "-x", 1).startswith("job-x-")
