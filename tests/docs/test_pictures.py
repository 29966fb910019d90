"""The pictures in the documentation are those of what they explain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import stepsched as ss
from stepsched.machines.shared import runner

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
