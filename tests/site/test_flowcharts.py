"""The flowcharts of the pages are pictures of the same graphs."""

from __future__ import annotations

import re

import pytest
from flowcharts import picture_of, with_pictures

import stepsched as ss
from stepsched import asl

WAIT = asl.StateMachine(states=asl.chain({"Nap, then": asl.Wait(seconds=60), "Done?": asl.Succeed()}))


def texts(svg: str) -> list[str]:
    return sorted(re.findall(r"<text[^>]*>([^<]+)</text>", svg))


def test_a_machine_looks_as_in_its_own_picture() -> None:
    assert texts(picture_of(WAIT.to_mermaid())) == texts(WAIT.to_svg())
    assert "Nap, then" in texts(WAIT.to_svg())


def test_a_workflow_has_its_steps() -> None:
    first = ss.Step(name="extract", target=ss.HandlerTarget(print))
    flow = ss.Workflow(name="nightly", steps=[first, first.replace(name="load", needs=("extract",))])
    drawn = picture_of(flow.to_mermaid())
    assert {"extract", "load"} <= set(texts(drawn))
    assert drawn.count("<path") > 2


def test_a_line_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a node, an arrow or a class, got '    click s1'"):
        picture_of("flowchart TD\n    click s1\n")


def test_other_text_of_a_page_is_unchanged() -> None:
    page = f"# Page\n\n```mermaid\n{WAIT.to_mermaid()}```\n\n```text\nflowchart TD\n```\n"
    shown = with_pictures(page)
    assert shown.startswith('# Page\n\n<div class="output"><svg')
    assert shown.endswith("</svg>\n</div>\n\n```text\nflowchart TD\n```\n")
