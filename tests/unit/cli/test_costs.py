"""``stepsched estimate`` and ``stepsched iam``: money and permissions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from tests.unit.cli.conftest import NOW, CommandLine

ACCOUNT = ("--account", "123456789012", "--region", "eu-west-1")
ROLE = "arn:aws:iam::123456789012:role/scheduler"
JOBS = """\
- name: nightly
  schedule: cron(0 2 ? * MON-FRI *)
  target: arn:aws:lambda:eu-west-1:123456789012:function:report
- name: put
  schedule: rate(12 hours)
  target: {kind: api, service: dynamodb, action: putItem, request: {TableName: orders}}
- name: here
  schedule: rate(12 hours)
  target: ['true']
"""


@pytest.fixture(autouse=True)
def _files(stepsched: CommandLine) -> None:
    Path("jobs.yaml").write_text(JOBS)
    Path("here.yaml").write_text(f"- name: here{JOBS.partition('- name: here')[2]}")
    Path("aws.yaml").write_text(JOBS.partition("- name: here")[0])
    Path("lambda.yaml").write_text(JOBS.partition("- name: put")[0])
    Path("batch.yaml").write_text(
        "- {name: b, schedule: rate(1 hour), "
        "target: {kind: batch, job_definition: d, job_queue: q, job_name: n}}"
    )


def test_estimate_prints_the_report_of_the_library(stepsched: CommandLine) -> None:
    wanted = ss.estimate(ss.load_jobs("jobs.yaml"), NOW, NOW + timedelta(days=30))
    assert stepsched("estimate", "jobs.yaml", terminal=True).out == f"{wanted}\n"
    assert stepsched("estimate", "jobs.yaml").document == wanted.model_dump(mode="json")
    assert stepsched("estimate", "jobs.yaml", "-o", "name").out == "nightly\nput\nhere\n"


def test_estimate_takes_a_span_a_backend_and_a_region(stepsched: CommandLine) -> None:
    span = ("--since", "2030-02-01T00:00Z", "--until", "2030-02-03T00:00Z")
    found = stepsched("estimate", "lambda.yaml", *span, "--backend-kind", "stepfunctions").document
    assert found["since"] == "2030-02-01T00:00:00Z"
    assert set(found["backends"].values()) == {"StepFunctionsBackend"}
    small = stepsched("estimate", "aws.yaml", "--region", "mx-central-1").document
    assert small["quotas"]["invocations_per_second"] == 250


def test_policy_is_that_of_the_library_on_a_pipe_and_on_a_terminal(stepsched: CommandLine) -> None:
    table = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    arguments = ("iam", "policy", "aws.yaml", "--resource", f"dynamodb:putItem={table}")
    done = stepsched(*arguments)
    wanted = ss.iam.policy_for(ss.load_jobs("aws.yaml"), resources={"dynamodb:putItem": [table]})
    assert (done.code, done.document, done.err) == (0, wanted, "")
    assert stepsched(*arguments, terminal=True).out == done.out


def test_policy_says_which_jobs_need_none(stepsched: CommandLine) -> None:
    done = stepsched("iam", "policy", "jobs.yaml")
    assert done.document == ss.iam.policy_for(ss.load_jobs("aws.yaml"))
    assert done.err == "left out, since they run in a process of yours: here\n"


def test_policy_completes_names_by_account_and_region(stepsched: CommandLine) -> None:
    assert "use --account and --region" in stepsched("iam", "policy", "batch.yaml").err
    found = stepsched("iam", "policy", "batch.yaml", *ACCOUNT).document
    assert "arn:aws:batch:eu-west-1:123456789012:job-queue/q" in str(found)


def test_trust_and_client_are_those_of_the_library(stepsched: CommandLine) -> None:
    place = {"account": "123456789012", "region": "eu-west-1"}
    assert stepsched("iam", "trust", *ACCOUNT, "--group", "g").document == ss.iam.trust_policy(
        **place, group="g"
    )
    wanted = ss.iam.client_policy(**place, role_arns=[ROLE], groups=["a", "b"])
    done = stepsched("iam", "client", *ACCOUNT, "--role", ROLE, "--group", "a", "--group", "b")
    assert done.document == wanted
    assert stepsched("iam", "client", *ACCOUNT, "--role", ROLE).document == ss.iam.client_policy(
        **place, role_arns=[ROLE]
    )


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        pytest.param("estimate gone.yaml", 2, "cannot load jobs from gone.yaml", id="file"),
        pytest.param("estimate aws.yaml --until now-1d", 2, "expected --until at or after", id="order"),
        pytest.param("estimate aws.yaml --until now+4000d", 2, "at most ten years", id="long"),
        pytest.param("estimate here.yaml --backend-kind eventbridge", 5, "refuses job 'here'", id="backend"),
        pytest.param("iam policy here.yaml", 2, "expected a job with a target in AWS", id="here"),
        pytest.param(
            "iam policy aws.yaml --resource x", 2, "expected CALL=ARN for --resource", id="resource"
        ),
        pytest.param("iam policy aws.yaml --kms-key-arn x", 2, "is not an ARN", id="key"),
        pytest.param("iam policy aws.yaml --account 12", 2, "12 digits", id="account"),
        pytest.param("iam trust", 2, "use --account ID --region NAME", id="trust"),
        pytest.param("iam client", 2, "--role", id="client"),
    ],
)
def test_a_wrong_use_is_refused_in_one_line(line: str, code: int, words: str, stepsched: CommandLine) -> None:
    done = stepsched(*line.split())
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1
