"""Files of workflows: what they hold, and what is said of mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.workflows.files import load_workflows, read_workflows

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"


def step(target: Any, **more: Any) -> dict[str, Any]:
    return {"name": "flow", "steps": [{"name": "a", "target": target, **more}]}


@pytest.mark.parametrize(
    ("target", "read"),
    [
        pytest.param(QUEUE, ss.QueueTarget(QUEUE), id="an ARN"),
        pytest.param("package.module:function", ss.HandlerTarget("package.module:function"), id="a function"),
        pytest.param(["python", "-V"], ss.CommandTarget(["python", "-V"]), id="a command"),
        pytest.param({"kind": "queue", "queue_arn": QUEUE}, ss.QueueTarget(QUEUE), id="in full"),
        pytest.param(
            {"job_definition": "etl:1", "job_queue": "low"},
            ss.BatchTarget("etl:1", job_queue="low"),
            id="without its kind",
        ),
    ],
)
def test_a_target_is_written_as_in_files_of_jobs(target: Any, read: ss.Target) -> None:
    (flow,) = read_workflows(step(target))
    assert flow.steps[0].target == read


def test_what_the_library_writes_reads_back(tmp_path: Path) -> None:
    flow = ss.Workflow(
        "flow",
        steps=[
            ss.Step("a", target=ss.BatchTarget("etl:1", job_queue="low"), retry=ss.Retry(max_attempts=2)),
            ss.Step("b", target=ss.QueueTarget(QUEUE), needs=["a"], when="done"),
        ],
        on_failure="stop",
        input={"day": "monday"},
    )
    path = tmp_path / "flows.json"
    path.write_text(flow.model_dump_json(), encoding="utf-8")
    assert load_workflows(path) == [flow]
    path.write_text(json.dumps([flow.model_dump(mode="json")]), encoding="utf-8")
    assert load_workflows(str(path)) == [flow]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "expected at least one workflow, got none"),
        (None, "workflow 1: expected a mapping with name and steps, got None"),
        (step("nowhere"), r"workflow 1 \('flow'\): steps.0.target: "),
        (step({"kind": "queue"}), r"workflow 1 \('flow'\): steps.0.target"),
        ({"name": "flow", "steps": 3}, r"workflow 1 \('flow'\): steps: "),
        ({"name": "flow", "steps": [7]}, r"workflow 1 \('flow'\): steps.0"),
        ([step(QUEUE), step(QUEUE)], "distinct names of workflows, got 'flow' twice"),
        (step(QUEUE, needs=["b"]), "as needs of 'a', got 'b'"),
        (step(QUEUE, need=["b"]), "need"),
        (
            {"scheduleId": "s", "jobList": []},
            "got a schedule document .*; use --document, or Workflow.from_d",
        ),
    ],
)
def test_a_mistake_says_where_it_is(document: Any, words: str) -> None:
    with pytest.raises(ss.errors.JobFileError, match=words) as caught:
        read_workflows(document, source="flows.yaml")
    assert str(caught.value).startswith("cannot load workflows from flows.yaml: ")


def test_all_mistakes_are_told() -> None:
    with pytest.raises(ss.errors.JobFileError) as caught:
        read_workflows([step("nowhere"), step(QUEUE), {"name": "x"}])
    assert len(caught.value.problems) >= 2


def test_a_mistake_does_not_show_values() -> None:
    with pytest.raises(ss.errors.JobFileError) as caught:
        read_workflows({"name": "flow", "steps": [{"name": "a", "target": QUEUE, "timeout": "s3cret"}]})
    assert "s3cret" not in str(caught.value) or "timeout" in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.json", "nothing.yaml", "nothing_like_it.py", "nothing_like_it"])
def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ss.errors.JobFileError, match="cannot load workflows from nothing"):
        load_workflows(name)
