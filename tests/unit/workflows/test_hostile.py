"""Arguments as a clumsy or hostile user gives them: each is refused with one clear error of ours."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.cli.wording import on_a_command_line
from stepsched.core.errors import JobFileError
from stepsched.workflows import Condition, WorkflowVersion
from stepsched.workflows.files import load_workflows, read_workflows


def step(name: str = "a", **more: Any) -> ss.Step:
    return ss.Step(name, target=ss.CommandTarget(["true"]), **more)


@pytest.fixture
def flows() -> ss.WorkflowClient:
    client = ss.WorkflowClient()
    client.start(ss.Workflow("w", steps=[step("a"), step("b")]), run_id="r")
    return client


@pytest.mark.parametrize("given", [None, 1, "a", b"a", {"a": 1}, step()], ids=repr)
def test_what_is_no_list_of_steps_is_refused_with_the_way(given: Any) -> None:
    with pytest.raises(
        ValidationError, match=r"expected a list of steps for needs, got .*; use needs=\[...\]"
    ):
        step("b", needs=given)
    with pytest.raises(
        ValidationError, match=r"expected a list of steps for steps, got .*; use steps=\[...\]"
    ):
        ss.Workflow("w", steps=given)


def test_too_many_steps_are_refused_before_all_are_made() -> None:
    endless = (step(f"s{number}") for number in itertools.count())
    with pytest.raises(ValidationError, match="expected at most 2,000 steps, got more"):
        ss.Workflow("w", steps=endless)


def test_a_wrong_step_of_a_file_is_one_mistake() -> None:
    with pytest.raises(JobFileError) as caught:
        read_workflows({"name": "w", "steps": [{"name": "a"}]})
    assert [text for _, text in caught.value.problems] == [
        (
            "workflow 1 ('w'): steps.0: missing target; Step has the fields "
            "name, target, needs, input, retry, timeout, when"
        )
    ]
    with pytest.raises(JobFileError, match="steps: expected at least one step, got none"):
        read_workflows({"name": "w", "steps": []})


@pytest.mark.parametrize(
    "path", ["rows", b"x", None, 1, [True], [-1], [1.5], [b"x"], [None], ["\ud800"]], ids=ascii
)
def test_a_path_of_a_condition_holds_keys_and_positions(path: Any) -> None:
    with pytest.raises(ValidationError, match=r"for path|surrogate"):
        Condition(step="a", path=path)


@pytest.mark.parametrize("durations", ["", 1, ["a"], [("a", 1)]], ids=repr)
def test_durations_are_a_mapping(durations: Any) -> None:
    with pytest.raises(TypeError, match="expected a mapping of steps to durations, got"):
        ss.Workflow("w", steps=[step()]).critical_path(durations)


def test_a_duration_that_is_no_float_is_refused() -> None:
    with pytest.raises(
        ValueError, match="expected a duration of at least 0 for step 'a', got a whole number"
    ):
        ss.Workflow("w", steps=[step()]).critical_path({"a": 10**400})


def test_numbers_that_no_store_holds_are_refused(flows: ss.WorkflowClient) -> None:
    with pytest.raises(ValueError, match=r"expected a whole number below 2\*\*63 for limit"):
        flows.runs(limit=2**63)
    with pytest.raises(ValueError, match=r"expected a whole number below 2\*\*63 for version"):
        flows.get("w", 2**63)


@pytest.mark.parametrize("given", [["a", "b"], [], None, 1], ids=repr)
def test_skip_takes_one_step(flows: ss.WorkflowClient, given: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a step or its name, got .*; use restart\(skip=\[...\]\)"):
        flows.skip("w", given)


def test_a_context_attribute_is_refused_where_nothing_fills_it_in(flows: ss.WorkflowClient) -> None:
    given: Any = {"at": [ss.context.SCHEDULED_TIME]}
    refusals: list[Callable[[], object]] = [
        lambda: ss.Workflow("w", steps=[step()], input=given),
        lambda: Condition(step="a", value=given),
        lambda: flows.start("w", input=given),
        lambda: flows.plan_restart("w", input=given),
        lambda: flows.plan_restart("w", mark_succeeded={"a": given}),
    ]
    for refusal in refusals:
        with pytest.raises(ValueError, match="expected plain data, got a context attribute"):
            refusal()
    assert step(input=given).input == given


def test_a_stored_workflow_reads_back_from_json(flows: ss.WorkflowClient) -> None:
    stored = flows.get("w")
    assert WorkflowVersion.model_validate_json(stored.model_dump_json()) == stored


def test_a_file_that_ends_the_process_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "flows_that_end.py"
    path.write_text('raise SystemExit("bye")')
    with pytest.raises(JobFileError, match="the import failed: SystemExit: bye"):
        load_workflows(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("got it in skip and mark_succeeded; use one", "got it in --skip and --mark-succeeded; use one"),
        ("got it in from_ and skip; use one", "got it in --from and --skip; use one"),
        (
            "expected from_ or only, got both; use from_ for",
            "expected --from or --only, got both; use --from for",
        ),
        ("in only, skip or mark_succeeded too", "in --only, --skip or --mark-succeeded too"),
    ],
)
def test_options_have_their_names_on_a_command_line(text: str, said: str) -> None:
    assert on_a_command_line(text) == said
