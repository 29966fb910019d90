"""The tables of the guide name every kind of schedule and target in a file, with its fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import stepsched as ss
from stepsched.jobs.documents import TARGETS, read_job
from stepsched.jobs.written import SCHEDULE_FIELDS
from stepsched.schedules import Schedule
from stepsched.targets.base import ServiceTarget

GUIDE = Path(__file__).parents[2] / "docs/guide.md"
ARNS = {
    "lambda": "arn:aws:lambda:eu-west-1:123456789012:function:f",
    "state_machine": "arn:aws:states:eu-west-1:123456789012:stateMachine:m",
    "queue": "arn:aws:sqs:eu-west-1:123456789012:q",
    "topic": "arn:aws:sns:eu-west-1:123456789012:t",
    "event_bus": "arn:aws:events:eu-west-1:123456789012:event-bus/b",
    "firehose": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/d",
    "code_build": "arn:aws:codebuild:eu-west-1:123456789012:project/p1",
    "code_pipeline": "arn:aws:codepipeline:eu-west-1:123456789012:p",
    "sagemaker_pipeline": "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p",
}
"""An ARN for each kind that an ARN decides."""


def rows(head: str, *, after: str) -> list[list[str]]:
    """The cells of the table below a heading of the guide that begins with these words."""
    lines = GUIDE.read_text("utf-8").split(after, 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def names(fields: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in fields)


def target_table() -> list[str]:
    """The lines of the table of targets, for the guide."""
    lines = ["| `kind` | an ARN is enough | needs | optional |", "| --- | --- | --- | --- |"]
    for kind, model in TARGETS.items():
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        others = [name for name in model.model_fields if name not in (*required, "kind")]
        enough = "yes" if kind in ARNS else "no"
        lines.append(f"| `{kind}` | {enough} | {names(required)} | {names(others)} |")
    return lines


def test_the_table_of_targets_is_what_the_models_say() -> None:
    wanted = target_table()
    assert "\n".join(wanted) in GUIDE.read_text("utf-8"), "\n".join(wanted)


def test_the_table_of_schedules_is_what_the_models_say() -> None:
    kinds: dict[str, type[BaseModel]] = {
        each.model_fields["kind"].default: each for each in Schedule.__args__
    }
    table = {
        row[0].strip("`"): row[1:] for row in rows("| `kind` | fields |", after="### Schedules in files")
    }
    assert table.keys() == kinds.keys() == SCHEDULE_FIELDS.keys()
    for kind, (required, optional) in table.items():
        written = {*required.replace(" or ", ", ").replace("`", "").split(", ")}
        written |= {*optional.replace("`", "").split(", ")}
        assert written == kinds[kind].model_fields.keys() - {"kind"}
        assert written <= {*SCHEDULE_FIELDS[kind]}


@pytest.mark.parametrize("kind", TARGETS)
def test_an_arn_is_enough_where_the_table_says_so(kind: str) -> None:
    model: Any = TARGETS[kind]
    if kind in ARNS:
        read = read_job({"name": "a", "every": "1 hour", "target": ARNS[kind]})
        assert isinstance(read, ss.Job)
        assert type(read.target) is model
        return
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    assert not issubclass(model, ServiceTarget) or len(required) > 1


EVERY_FORM = {
    "`schedule: cron(0 9 ? * MON-FRI *)`": ss.Cron,
    "`schedule: rate(5 minutes)`": ss.Rate,
    "`schedule: at(2030-01-01T09:00:00)`": ss.OneTime,
    "`every: 5 minutes`, `every: 2 hours`": ss.Rate,
    "`every: 1 month`, `every: 2 weeks and 1 day`, `every: 10 seconds`": ss.Windowed,
    "`schedule: {at: 2030-01-01T09:00}`": ss.OneTime,
    "`schedule: {crontab: '*/5 9-17 * * 1-5'}`": ss.Cron,
}


def test_every_form_of_a_schedule_is_read_as_the_table_says(tmp_path: Path) -> None:
    table = rows("| written | is |", after="### Schedules in files")
    assert [row[0] for row in table] == list(EVERY_FORM)
    for written, what in table:
        kind = EVERY_FORM[written]
        assert f"`{kind.__name__}`" in what
        for form in written.split("`, `"):
            start = "\n  start: 2030-01-01T09:00" if kind is ss.Windowed else ""
            path = tmp_path / "jobs.yaml"
            path.write_text(f"- name: a\n  target: [x]\n  {form.strip('`')}{start}\n")
            (job,) = ss.load_jobs(path)
            assert type(job.schedule) is kind


if __name__ == "__main__":  # python -m tests.docs.test_job_files prints the table
    print("\n".join(target_table()))
