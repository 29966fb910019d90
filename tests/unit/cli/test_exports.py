"""``stepsched template``: jobs as a template of CloudFormation or Terraform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stepsched as ss
from tests.unit.cli.conftest import NOW, CommandLine

ROLE = "arn:aws:iam::123456789012:role/scheduler"
JOBS = """\
- name: nightly
  schedule: cron(0 2 ? * MON-FRI *)
  target: arn:aws:lambda:eu-west-1:123456789012:function:report
- name: put
  schedule: rate(12 hours)
  target: {kind: api, service: dynamodb, action: putItem, request: {TableName: orders, Item: {}}}
"""


@pytest.fixture(autouse=True)
def _files(stepsched: CommandLine) -> None:
    Path("jobs.yaml").write_text(JOBS)


def test_it_prints_the_template_of_the_library(stepsched: CommandLine) -> None:
    jobs = ss.load_jobs("jobs.yaml")
    table = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    done = stepsched("template", "jobs.yaml", "--resource", f"dynamodb:putItem={table}")
    wanted = ss.deploy.jobs_to_cloudformation(jobs, resources={"dynamodb:putItem": [table]}, now=NOW)
    assert json.loads(done.out) == wanted
    options = ("--role", ROLE, "--names", "--group", "g", "--existing-group", "g", "--next-runs", "2")
    done = stepsched("template", "jobs.yaml", "--format", "terraform", *options)
    wanted = ss.deploy.jobs_to_terraform(
        jobs, role_arn=ROLE, names=True, group="g", existing_groups=["g"], next_runs=2, now=NOW
    )
    assert json.loads(done.out) == wanted


def test_it_writes_a_file_as_utf_8(stepsched: CommandLine) -> None:
    Path("more.yaml").write_text(
        '- {name: a, schedule: rate(1 hour), input: "\\x7f 😀", '
        "target: arn:aws:sqs:eu-west-1:123456789012:orders}"
    )
    done = stepsched("template", "more.yaml", "--role", ROLE, "-o", "made.json")
    assert done.out == ""
    text = Path("made.json").read_text("utf-8")
    assert "\\u007f 😀" in text
    assert "\n  " in text
    missing = stepsched("template", "more.yaml", "--role", ROLE, "-o", "no/made.json")
    assert missing.code == 1
    assert "cannot write no/made.json" in missing.err


def test_what_has_passed_is_refused_or_left_out(stepsched: CommandLine) -> None:
    Path("late.yaml").write_text(
        f"{JOBS}- {{name: late, schedule: 'cron(0 9 * * ? *)', start: '2020-01-01T00:00Z', "
        "target: arn:aws:sqs:eu-west-1:123456789012:orders}"
    )
    refused = stepsched("template", "late.yaml", "--role", ROLE)
    assert refused.code == 2
    assert "the start of job 'late'" in refused.err
    done = stepsched("template", "late.yaml", "--role", ROLE, "--passed", "omit")
    assert "LateSchedule" in json.loads(done.out)["Resources"]


def test_a_large_template_is_written_without_white_space_and_its_upload_told(stepsched: CommandLine) -> None:
    def large(count: int) -> str:
        jobs = [
            f"- {{name: j-{number}, schedule: rate(1 hour), "
            "target: arn:aws:sqs:eu-west-1:123456789012:orders}"
            for number in range(count)
        ]
        return "\n".join(jobs)

    Path("large.yaml").write_text(large(70))
    done = stepsched("template", "large.yaml", "--role", ROLE)
    assert done.err == ""
    assert done.out.count("\n") == 1
    Path("large.yaml").write_text(large(100))
    done = stepsched("template", "large.yaml", "--role", ROLE)
    assert "aws cloudformation deploy --s3-bucket NAME" in done.err
    assert len(json.loads(done.out)["Resources"]) == 100
