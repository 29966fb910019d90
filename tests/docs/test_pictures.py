"""The pictures in the documentation are those of what they explain."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import stepsched as ss
from stepsched.machines.shared import runner
from stepsched.workflows import StepRun, StepStatus, WorkflowRun, WorkflowRunStatus
from tests.docs import pictures
from tests.unit.pictures.drawn import read

PAGE = Path(__file__).parents[2] / "docs" / "asl.md"


def machine_of_the_page() -> str:
    """The diagram of the job that the page's first example makes."""
    first = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert first is not None
    names: dict[str, Any] = {}
    exec(compile(first[1], str(PAGE), "exec"), names)
    return ss.render_asl(names["closing"]).to_mermaid()


def test_the_diagram_is_that_of_the_job() -> None:
    shown = re.search(r"```mermaid\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == machine_of_the_page().strip()


def test_the_shared_machine_is_drawn_as_its_module_has_it() -> None:
    page = PAGE.with_name("stepfunctions.md").read_text("utf-8")
    (drawn,) = re.findall(r"```\n(Load ─.*?)```", page, re.DOTALL)
    assert f"```\n{drawn}```" in (runner.__doc__ or "")


def workflow_of_the_page() -> ss.Workflow:
    """The workflow that the first example of docs/workflows.md makes."""
    first = re.search(r"```python\n(.*?)```", PAGE.with_name("workflows.md").read_text("utf-8"), re.DOTALL)
    assert first is not None
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(first[1], "workflows.md", "exec"), names)
    flow = names["flow"]
    assert isinstance(flow, ss.Workflow)
    return flow


def run_of_the_page() -> WorkflowRun:
    """A run of this workflow, in which a step has waited."""
    begin = datetime(2030, 1, 7, 2, tzinfo=timezone.utc)
    times = {"extract": (0, 12), "load": (15, 50), "report": (50, 54)}
    steps = tuple(
        StepRun(
            name=step.name,
            status=StepStatus.SUCCEEDED,
            needs=step.needs,
            attempt=1,
            started_at=begin + timedelta(minutes=times[step.name][0]),
            ended_at=begin + timedelta(minutes=times[step.name][1]),
        )
        for step in workflow_of_the_page().steps
    )
    return WorkflowRun(
        workflow="nightly",
        id="20300107T020000Z-k3f9",
        status=WorkflowRunStatus.SUCCEEDED,
        version=1,
        started_at=begin,
        ended_at=begin + timedelta(minutes=54),
        steps=steps,
    )


def test_the_diagram_and_the_chart_of_a_workflow_are_those_that_it_draws() -> None:
    page = PAGE.with_name("workflows.md").read_text("utf-8")
    assert f"```mermaid\n{workflow_of_the_page().to_mermaid()}```" in page
    assert f"```text\n{run_of_the_page().to_gantt_text()}\n```" in page


def test_the_pictures_in_the_folder_are_those_that_the_code_draws() -> None:
    assert {path.name for path in pictures.FOLDER.iterdir()} == set(pictures.PICTURES)
    for path, text in pictures.drawn():
        assert path.read_text("utf-8") == text, "use: python -m tests.docs.pictures"
        read(text)
