"""docs/deploy-parts.md tells every permission of a stack, every part, and the sizes of templates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import stepsched as ss
from stepsched.deploy import Part, template
from tests.unit.test_deploy_parts import SIZES, STANDARD, length, of_kind

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "deploy-parts.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = re.split(rf"^## {heading}$", TEXT, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_each_permission_of_a_stack_has_a_reason() -> None:
    granted = {
        (name, action, json.dumps(statement["Resource"]) == '["*"]')
        for made in (template([], parts=STANDARD), template([], parts=EXPRESS))
        for name, role in of_kind(made, "::Role").items()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    rows = table("Permissions")
    told = [(role.strip("`"), action.strip("`"), on.startswith("`*`")) for role, action, on, _ in rows]
    assert len(set(told)) == len(told)
    assert set(told) == granted
    assert all(len(reason) > 10 for *_, reason in rows)


def test_each_part_and_each_output_is_told() -> None:
    parts: list[str] = []
    outputs: set[str] = set()
    for part, _, named in table("Parts"):
        parts += [] if part == "always" else re.findall(r"`([\w-]+)`", part)
        outputs |= set(re.findall(r"`(\w+)`", named))
    assert parts == [part.value for part in ORDER]
    made = template([], parts=STANDARD)["Outputs"] | template([], parts=EXPRESS)["Outputs"]
    assert outputs == set(made)
    assert set(ORDER) == set(Part)


EXPRESS = [Part.HTTP, *(part for part in STANDARD if part is not Part.REGISTER)]
ORDER = [
    Part.REGISTER,
    Part.EXPRESS_REGISTER,
    Part.HTTP,
    Part.WORKFLOWS,
    Part.GROUP,
    Part.DEAD_LETTERS,
    Part.TOPIC,
    Part.QUEUE,
    Part.FIFO_QUEUE,
    Part.ALARMS,
    Part.DASHBOARD,
]


def test_the_sizes_are_right() -> None:
    """To a tenth, for they change with every state of a machine."""
    for name, size, fits in table("Size"):
        targets, parts, in_request = SIZES[name]
        found = length(template(targets, parts=parts))
        assert abs(int(size.replace(",", "")) - found) < found / 10, (name, found)
        assert fits == ("yes" if in_request else "no")


def test_the_metrics_are_those_of_the_templates() -> None:
    made = json.dumps(template([ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:q")], parts=STANDARD))
    metrics: list[Any] = [
        name for row in table("Metrics and alarms") for name in re.findall(r"`(\w+)`", row[0])
    ]
    assert len(metrics) == 5
    for metric in metrics:
        assert metric in made
