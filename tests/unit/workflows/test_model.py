"""Workflows and their steps as values: what is refused, and how; order, copies, JSON."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows import Condition, When, input_of, output_of
from stepsched.workflows.model import MAX_INPUTS_BYTES, no_workflow
from stepsched.workflows.order import below, critical_path, find_cycle, order_of

COMMAND = ss.CommandTarget(["true"])
BATCH = ss.BatchTarget("d", job_queue="q")
TOPIC = "arn:aws:sns:eu-west-1:111122223333:done"


def step(name: str, *needs: str | ss.Step, **more: Any) -> ss.Step:
    return ss.Step(name, **{"target": COMMAND, "needs": needs, **more})


def flow(*steps: ss.Step, **more: Any) -> ss.Workflow:
    return ss.Workflow("nightly", steps=steps, **more)


REFUSALS: list[Any] = [
    pytest.param(
        lambda: step(""), "expected 1 to 64 of A-Z a-z 0-9 - _ . as the name of a step, got ''", id="empty"
    ),
    pytest.param(lambda: step("a/b"), "as the name of a step, got 'a/b'", id="slash"),
    pytest.param(lambda: step("x" * 65), "as the name of a step", id="long"),
    pytest.param(
        lambda: step("a", needs="b"), r"a list of steps for needs, got 'b'; use needs=\[...\]", id="needs"
    ),
    pytest.param(lambda: step("a", needs=5), "expected a list of steps for needs, got 5", id="no list"),
    pytest.param(
        lambda: step("a", "b", "b"), "each need of step 'a' once, got 'b' more than once", id="need twice"
    ),
    pytest.param(
        lambda: step("a", "a"), "other steps as needs of step 'a', got the step itself", id="itself"
    ),
    pytest.param(lambda: step("a", target="arn"), "expected a target, got str", id="target"),
    pytest.param(
        lambda: step("a", target=ss.ParallelTarget([COMMAND, COMMAND])),
        "use one step for each part",
        id="parallel",
    ),
    pytest.param(
        lambda: step("a", target=ss.WorkflowTarget("w")), "got a WorkflowTarget; use its steps", id="nested"
    ),
    pytest.param(
        lambda: step("a", target=BATCH, input=[1]), "an object as input of step 'a' on AWS Batch", id="batch"
    ),
    pytest.param(
        lambda: step("a", target=BATCH, timeout=timedelta(seconds=59)),
        "at least 60 seconds for step 'a'",
        id="timeout",
    ),
    pytest.param(
        lambda: step("a", *(f"n{n}" for n in range(21)), target=BATCH),
        "at most 20 needs of step 'a'",
        id="20 needs",
    ),
    pytest.param(
        lambda: step("a", when=Condition(step="b")),
        "step 'b' of the condition among the needs of step 'a'",
        id="when",
    ),
    pytest.param(
        lambda: step("a", input=output_of("b")),
        "step 'b', whose output is used, among the needs of step 'a'",
        id="use",
    ),
    pytest.param(
        lambda: step("a", input={"x": {"$output": 5}}), "expected a reference such as", id="reference"
    ),
    pytest.param(lambda: flow(), "expected at least one step, got none", id="no steps"),
    pytest.param(
        lambda: flow(step("a"), step("a")), r"distinct names of steps, got \['a'\] more than once", id="twice"
    ),
    pytest.param(
        lambda: flow(step("extract"), step("load", "extrct")),
        "as needs of 'load', got 'extrct'; use 'extract'",
        id="unknown",
    ),
    pytest.param(
        lambda: flow(step("z"), step("a", "c"), step("b", "a"), step("c", "b")),
        "needs without a cycle, got a needs c needs b needs a; remove one of them",
        id="cycle",
    ),
    pytest.param(
        lambda: flow(*(step(f"s{n}", input={"x": "y" * 260_000}) for n in range(17))),
        f"at most {MAX_INPUTS_BYTES:,} bytes of JSON as inputs of all steps",
        id="size",
    ),
    pytest.param(
        lambda: flow(step("a"), wait_time=timedelta(seconds=1.5)), "whole seconds for wait_time", id="wait"
    ),
    pytest.param(lambda: flow(step("a"), notify=TOPIC), "expected a TopicTarget, got str", id="topic"),
    pytest.param(
        lambda: flow(step("a"), step("b", "z")), "got 'z'; use one of 'a', or add it to steps", id="left out"
    ),
    pytest.param(lambda: flow(step("b", "a")), "got 'a'; add it to steps", id="left out of one"),
    pytest.param(
        lambda: ss.Workflow("w", steps=step("a")),  # type: ignore[arg-type]
        r"a list of steps for steps, got a Step; use steps=\[...\]",
        id="one step",
    ),
    pytest.param(
        lambda: ss.Workflow("w", steps={"a": step("a")}),  # type: ignore[dict-item]
        "a list of steps for steps, got a dict",
        id="steps by name",
    ),
    pytest.param(
        lambda: ss.Workflow("w", steps=[print]),  # type: ignore[list-item]
        r"a step, got builtin_function_or_method; use Step\(name, target=...\)",
        id="function as step",
    ),
    pytest.param(
        lambda: step("a", "b", when="always"),
        "got 'always'; use one of 'succeeded', 'done', 'failed'",
        id="no When",
    ),
    pytest.param(lambda: step("a", "b", when="Done"), "got 'Done'; use 'done'", id="misspelt When"),
    pytest.param(
        lambda: step("a", retry=3), "a Retry, got 3; its field max_attempts is", id="number of attempts"
    ),
    pytest.param(
        lambda: Condition(step=step("a")),
        "the name of a step, got a Step; use 'a'",
        id="step in condition",
    ),
    pytest.param(
        lambda: Condition(step="a", path="rows"),
        r"keys and positions for path, got 'rows'; use path=\['rows'\]",
        id="key as path",
    ),
    pytest.param(
        lambda: ss.WorkflowTarget(flow(step("a"))),  # type: ignore[arg-type]
        "the name of a workflow, got a Workflow; use 'nightly'",
        id="workflow in target",
    ),
    pytest.param(
        lambda: ss.Job(
            name="j",
            schedule=ss.Rate(timedelta(days=1)),
            target=flow(step("a")),
        ),
        r"expected a target, got a Workflow; use WorkflowTarget\('nightly'\)",
        id="workflow as target",
    ),
    pytest.param(
        lambda: Condition(step="a", operator="<", value="x"),
        "expected a number as value for <, got 'x'",
        id="operator",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSALS)
def test_what_cannot_run_is_refused_by_name(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_2000_steps_are_checked_and_not_more() -> None:
    steps = [step(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(2_000)]
    assert flow(*reversed(steps)).order == tuple(each.name for each in steps)
    with pytest.raises(ValueError, match="expected at most 2,000 steps, got more"):
        flow(*steps, step("one-more"))


DIAMOND = flow(step("d", "b", "c"), step("c", "a"), step("b", "a"), step("a"))


def test_the_order_follows_the_needs_and_otherwise_the_definition() -> None:
    assert DIAMOND.order == ("a", "c", "b", "d")
    assert dict(DIAMOND.place) == {"a": 0, "c": 1, "b": 2, "d": 3}
    assert list(DIAMOND.by_name) == ["d", "c", "b", "a"]
    assert DIAMOND.dependents["a"] == ("c", "b")
    assert DIAMOND.needs["d"] == ("b", "c")


def test_the_graph_of_a_workflow_cannot_be_changed() -> None:
    for view in (DIAMOND.needs, DIAMOND.by_name, DIAMOND.place, DIAMOND.dependents):
        with pytest.raises(TypeError, match="does not support item assignment"):
            view["x"] = ()  # type: ignore[index]


def test_a_copy_has_its_own_graph() -> None:
    assert DIAMOND.order
    assert DIAMOND.replace(steps=[step("x")]).order == ("x",)
    assert DIAMOND.model_copy(update={"steps": (step("x"),)}).order == ("x",)


def test_reading_the_graph_changes_neither_equality_nor_pickles_nor_json() -> None:
    def made() -> ss.Workflow:
        return flow(step("b", "a"), step("a"))

    fresh, used = made(), made()
    before = pickle.dumps(fresh)
    assert used.order
    assert used == fresh
    assert pickle.dumps(used) == before
    assert pickle.loads(before) == used
    assert copy.deepcopy(used) == used
    assert used.model_dump() == fresh.model_dump()
    assert ss.Workflow.model_validate_json(used.model_dump_json()) == used
    assert repr(used) == repr(fresh)


def test_workflows_are_equal_by_their_json() -> None:
    assert flow(step("a", input={"x": 1})) != flow(step("a", input={"x": True}))
    assert flow(step("a")) != "nightly"
    with pytest.raises(TypeError, match="unhashable"):
        hash(DIAMOND)


def test_steps_can_be_needs_and_give_references_to_their_outputs() -> None:
    extract = step("extract")
    load = step("load", extract, input={"rows": extract.output("rows", 0), "day": input_of("day")})
    assert load.needs == ("extract",)
    assert load.input == {"rows": {"$output": "extract", "path": ["rows", 0]}, "day": {"$input": ["day"]}}


def test_a_workflow_reads_back_from_json_with_its_conditions() -> None:
    gated = flow(
        step("a"),
        step("b", "a", when=Condition(step="a", path=["n"], operator=">", value=3)),
        step("c", "a", when="failed", timeout=timedelta(hours=1), retry=ss.Retry(max_attempts=2)),
        notify=ss.TopicTarget(TOPIC),
        on_failure="stop",
        input={"day": "2030-01-07"},
    )
    again = ss.Workflow.model_validate_json(gated.model_dump_json())
    assert again == gated
    assert again.steps[2].when is When.FAILED
    assert again.canonical() == gated.canonical()


# conditions

MET = [
    pytest.param(Condition(step="a"), True, True, id="true"),
    pytest.param(Condition(step="a"), 1, False, id="1 is not true"),
    pytest.param(Condition(step="a", value=1), 1.0, True, id="1 is 1.0"),
    pytest.param(Condition(step="a", value=[1, {"x": None}]), [1.0, {"x": None}], True, id="equal parts"),
    pytest.param(Condition(step="a", value=[1, {"x": None}]), [1, {"x": False}], False, id="other parts"),
    pytest.param(Condition(step="a", value=[1]), [1, 1], False, id="longer list"),
    pytest.param(Condition(step="a", value={"x": 1}), {"y": 1}, False, id="other keys"),
    pytest.param(Condition(step="a", value="1"), 1, False, id="text"),
    pytest.param(Condition(step="a", path=["n"], value=3), {"n": 3}, True, id="part"),
    pytest.param(Condition(step="a", path=["n"], value=3), {"m": 3}, False, id="missing part"),
    pytest.param(Condition(step="a", path=[1], value=3), [0, 3], True, id="position"),
    pytest.param(Condition(step="a", path=[2], value=3), [0, 3], False, id="missing position"),
    pytest.param(Condition(step="a", operator="!=", value=3), 4, True, id="other"),
    pytest.param(
        Condition(step="a", operator="!=", path=["n"], value=3), {}, False, id="missing is not other"
    ),
    pytest.param(Condition(step="a", operator="<", value=3), 2.5, True, id="less"),
    pytest.param(Condition(step="a", operator="<=", value=3), 3, True, id="at most"),
    pytest.param(Condition(step="a", operator=">", value=3), 3, False, id="more"),
    pytest.param(Condition(step="a", operator=">=", value=3), 3, True, id="at least"),
    pytest.param(Condition(step="a", operator=">=", value=0), True, False, id="true is no number"),
    pytest.param(Condition(step="a", operator=">=", value=0), "5", False, id="text is no number"),
    pytest.param(Condition(step="a", value={"x": 1, "y": 2}), {"y": 2, "x": 1}, True, id="objects"),
]


@pytest.mark.parametrize(("condition", "output", "met"), MET)
def test_a_condition_looks_at_an_output(condition: Condition, output: Any, *, met: bool) -> None:
    assert condition.is_met(output) is met


# critical path, and the functions of graphs


def test_the_critical_path_is_the_longest_chain() -> None:
    assert DIAMOND.critical_path() == ("a", "b", "d")
    minutes = {"a": timedelta(minutes=1), "c": timedelta(minutes=9), "b": timedelta(minutes=2)}
    assert DIAMOND.critical_path(minutes) == ("a", "c", "d")
    assert flow(step("a"), step("z")).critical_path({"z": 3}) == ("z",)


@pytest.mark.parametrize("bad", [{"e": 1}, {"a": -1}, {"a": "1"}, {"a": float("nan")}, {"a": True}])
def test_wrong_durations_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        DIAMOND.critical_path(bad)


def test_graphs_as_mappings() -> None:
    needs = {"a": (), "b": ("a",), "c": ("b",), "z": ()}
    assert order_of(needs) == ("a", "b", "c", "z")
    assert below(needs, ["a"]) == {"b", "c"}
    assert below(needs, ["z"]) == set()
    assert find_cycle(needs) is None
    assert critical_path({}) == ()
    circle = {"x": ("y",), "y": ("x",), "z": ("x",)}
    assert find_cycle(circle) == ("x", "y", "x")
    with pytest.raises(ValueError, match="without a cycle, got x needs y needs x"):
        order_of(circle)


# check


def warned(workflow: ss.Workflow) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        workflow.check()
    assert all(each.category is ss.errors.ScheduleWarning for each in caught)
    return [str(each.message) for each in caught]


def test_check_finds_nothing_in_a_plain_workflow() -> None:
    assert warned(DIAMOND) == []
    assert (
        warned(
            flow(
                step("a", target=BATCH), step("b", "a", target=BATCH, input={"id": output_of("a", "job_id")})
            )
        )
        == []
    )


def test_check_warns_of_local_steps_beside_those_of_aws() -> None:
    (text,) = warned(flow(step("a"), step("b", target=BATCH)))
    assert "step 'a' runs only on the embedded backend" in text
    assert "the BatchTarget of step 'b' to a function; register one" in text


def test_check_warns_of_outputs_that_a_step_on_batch_does_not_have() -> None:
    text, other = warned(
        flow(
            step("a", target=BATCH),
            step("b", "a", target=BATCH, input={"rows": output_of("a", "rows")}),
            step("c", "a", target=BATCH, when=Condition(step="a", path=["rows"], value=3)),
        )
    )
    assert (
        """step 'b' uses ["rows"] of the output of 'a', but a step on AWS Batch has only 'job_id'""" in text
    )
    assert "step 'c'" in other


def test_another_value_is_no_workflow() -> None:
    assert str(no_workflow(5)) == 'expected a Workflow, got int; use Workflow("name", steps=[...])'
    assert "use Workflow.from_document(document)" in str(no_workflow({}))
