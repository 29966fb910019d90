"""The commands ``deploy`` and ``destroy``: what they show, ask and refuse, and their exit codes."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest

import stepsched as ss
from stepsched.cli.commands.stacks import _PARTS
from stepsched.cli.places import read_place, stack_outputs
from tests.parts.cloud import ACCOUNT, REGION, FakeCloud, RefusedError
from tests.sessions import SharedModels
from tests.unit.cli.conftest import CommandLine

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
TEMPLATE = ss.deploy.template([ss.QueueTarget(QUEUE)])
JOBS = f"- name: nightly\n  schedule: rate(1 hour)\n  target: {QUEUE}\n"


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeCloud:
    """The account that every command line finds, and a file of jobs."""
    made = FakeCloud()

    class Session(SharedModels):
        def __init__(self, **options: Any) -> None:
            given = {key: value for key, value in options.items() if value is not None}
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            super().__init__(**{"region_name": REGION, **keys, **given})
            made.attach(self)

    monkeypatch.setattr(boto3, "Session", Session)
    (tmp_path / "jobs.yaml").write_text(JOBS)
    return made


def test_deploy_shows_the_plan_asks_and_creates_the_stack(stepsched: CommandLine, cloud: FakeCloud) -> None:
    done = stepsched("deploy", "jobs", "jobs.yaml", terminal=True, stdin="y\n")
    assert done.code == 0, done.err
    assert "+   Table       DynamoDB Table" in done.err
    assert f"Create stack jobs in {REGION}? [y/N]" in done.err
    assert "stack jobs is created" in done.err
    assert "next: stepsched apply jobs.yaml --backend stack:jobs" in done.err
    assert done.out.startswith(f"stack jobs in {REGION} is ready\n")
    assert cloud.find("jobs").status == "CREATE_COMPLETE"


def test_the_next_command_finds_a_stack_with_a_prefix(stepsched: CommandLine, cloud: FakeCloud) -> None:
    done = stepsched("deploy", "jobs", "jobs.yaml", "--prefix", "blue-team", "--yes")
    place = done.err.rpartition("--backend ")[2].strip().strip("'")
    assert place == "stack:jobs?prefix=blue-team"
    outputs = {"state_machine_output": "BlueTeamStateMachineArn", "table_output": "BlueTeamTableName"}
    assert stack_outputs(read_place(place)) == outputs
    assert {*outputs.values()} <= done.document["outputs"].keys()


FLOWS = f"""
- name: nightly
  steps:
    - name: extract
      target: {{kind: batch, job_definition: report, job_queue: nightly}}
    - name: tell
      needs: [extract]
      target: {{kind: queue, queue_arn: {QUEUE}}}
"""


def test_a_file_of_workflows_allows_their_steps_and_adds_the_machine(
    stepsched: CommandLine, cloud: FakeCloud, tmp_path: Path
) -> None:
    (tmp_path / "flows.yaml").write_text(FLOWS)
    done = stepsched("deploy", "jobs", "--workflow", "flows.yaml", "--yes")
    assert done.code == 0, done.err
    assert "next: stepsched workflow put flows.yaml --backend stack:jobs" in done.err
    assert "next: stepsched apply" not in done.err
    assert done.document["outputs"]["WorkflowsArn"].endswith("-workflows")
    made = cloud.find("jobs").template
    assert made == ss.deploy.template(ss.workflows.load_workflows("flows.yaml"), parts=["workflows"])
    both = stepsched("deploy", "jobs", "jobs.yaml", "--workflow", "flows.yaml", "--yes")
    assert "next: stepsched apply jobs.yaml --backend stack:jobs" in both.err
    assert stepsched("deploy", "jobs").code == 2


def test_a_step_that_aws_cannot_run_is_named(stepsched: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "flows.yaml").write_text(
        FLOWS.replace(f"kind: queue, queue_arn: {QUEUE}", "kind: command, command: ['true']")
    )
    done = stepsched("deploy", "jobs", "jobs.yaml", "--workflow", "flows.yaml", "--yes")
    assert done.code == 2
    assert "workflow 'nightly' (step 'tell'): AWS cannot invoke a command" in done.err


def test_an_answer_of_no_leaves_nothing_behind(stepsched: CommandLine, cloud: FakeCloud) -> None:
    done = stepsched("deploy", "jobs", "jobs.yaml", terminal=True, stdin="n\n")
    assert (done.code, cloud.change_sets) == (130, {})
    with pytest.raises(RefusedError):
        cloud.find("jobs")


@pytest.mark.parametrize("line", [("deploy", "jobs", "jobs.yaml"), ("destroy", "old")])
def test_on_a_pipe_nothing_is_done_without_yes(
    line: tuple[str, ...], stepsched: CommandLine, cloud: FakeCloud
) -> None:
    cloud.add_stack("old", TEMPLATE)
    done = stepsched(*line)
    assert done.code == 2
    assert "use --yes" in done.err
    assert cloud.change_sets == {}
    assert cloud.find("old").status == "CREATE_COMPLETE"
    assert stepsched(*line, "--yes").code == 0


def test_the_output_is_json_on_a_pipe(stepsched: CommandLine, cloud: FakeCloud) -> None:
    done = stepsched("deploy", "jobs", "jobs.yaml", "--yes")
    assert done.document["outputs"]["TableName"] == "jobs-Table-1A2B3C4D5E6F7"
    assert stepsched("-y", "deploy", "jobs", "jobs.yaml", "-o", "name").out == "stack:jobs\n"
    assert stepsched("destroy", "jobs", "--yes").document["kept_tables"] == ["jobs-Table-1A2B3C4D5E6F7"]


def test_a_dry_run_changes_nothing_and_says_whether_there_are_changes(
    stepsched: CommandLine, cloud: FakeCloud
) -> None:
    line = ("deploy", "jobs", "jobs.yaml", "--dry-run")
    assert stepsched(*line).document["is_new"] is True
    assert stepsched(*line, "--detailed-exitcode").code == 2
    assert cloud.change_sets == {}
    assert all(each.status == "DELETE_COMPLETE" for each in cloud.stacks.values())
    assert stepsched(*line[:3], "--yes").code == 0
    assert stepsched(*line, "--detailed-exitcode").code == 0
    assert stepsched("deploy", "jobs", "nothing.yaml", "--dry-run", "--detailed-exitcode").code == 1
    assert stepsched("deploy", "a_b", "jobs.yaml", "--dry-run", "--detailed-exitcode").code == 1
    done = stepsched(*line[:3], "--detailed-exitcode", "--yes")
    assert done.code == 1
    assert "--dry-run" in done.err


def test_the_options_reach_the_template(stepsched: CommandLine, cloud: FakeCloud) -> None:
    cloud.buckets["ours"] = ACCOUNT
    cloud.tables.add("given")
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    done = stepsched(
        *("deploy", "jobs", "jobs.yaml", "--yes", "--prefix", "blue", "--with", "register"),
        *("--boundary", boundary, "--bucket", "ours", "--tag", "team=finance", "--table", "given"),
    )
    assert done.code == 0, done.err
    (text,) = cloud.bodies.values()
    made = json.loads(text)
    assert {"BlueRunner", "BlueRegister"} <= set(made["Resources"])
    assert "BlueTable" not in made["Resources"]
    assert made["Resources"]["BlueRunnerRole"]["Properties"]["PermissionsBoundary"] == boundary
    (given,) = [given for _, operation, given in cloud.calls if operation == "CreateChangeSet"]
    assert given["Tags"] == [{"Key": "team", "Value": "finance"}]


def test_a_stack_of_one_shot_tasks_needs_no_job_and_gets_the_hash_of_the_secret(
    stepsched: CommandLine, cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("deploy", "tasks", "--with", "http", "--yes", "--subscriber", "https://example.com/tasks")
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("STEPSCHED_HTTP_SECRET", "abc123")
    for more, secret in (((), "abc123"), (("--secret-file", "secret"), "from a file")):
        done = stepsched(*line, *more)
        assert done.code == 0, done.err
        text = list(cloud.bodies.values())[-1]
        assert sha256(secret.encode()).hexdigest() in text
        assert secret not in text + done.out + done.err
        assert '"Endpoint":"https://example.com/tasks"' in text
    monkeypatch.delenv("STEPSCHED_HTTP_SECRET")
    assert stepsched(*line).code == 0
    assert '"AuthorizationType":"AWS_IAM"' in list(cloud.bodies.values())[-1]


def test_every_part_of_a_stack_is_a_choice() -> None:
    assert list(_PARTS) == [each.value for each in ss.deploy.Part]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        pytest.param("deploy jobs", 2, "FILE", id="no file"),
        pytest.param(
            "deploy jobs here.yaml --yes", 2, "the target of 'cleanup': AWS cannot invoke", id="here"
        ),
        pytest.param("deploy jobs jobs.yaml --with tea", 2, "tea", id="no part"),
        pytest.param("deploy jobs jobs.yaml --subscriber a@b.de", 2, "--with http", id="no http"),
        pytest.param(
            "deploy jobs --with http --subscriber x", 2, "expected an https:// URL", id="no address"
        ),
        pytest.param("deploy jobs --with http --secret-file none", 2, "cannot read none", id="no secret"),
        pytest.param("deploy jobs jobs.yaml --tag team", 2, "KEY=VALUE", id="no tag"),
        pytest.param("deploy jobs jobs.yaml --resource x", 2, "CALL=ARN", id="no resource"),
        pytest.param(
            "deploy shop jobs.yaml --yes", 4, "not the stack of a scheduler of stepsched", id="foreign"
        ),
        pytest.param("destroy shop --yes --force", 4, "delete it with CloudFormation", id="foreign too"),
        pytest.param("deploy dead jobs.yaml --yes", 1, "`stepsched destroy dead`", id="dead"),
        pytest.param("destroy nothing --yes", 3, "there is no stack 'nothing'", id="no stack"),
        pytest.param("destroy full --yes", 4, "3 messages in queue", id="full"),
        pytest.param("destroy full --yes", 4, "or use --force", id="cure"),
    ],
)
def test_a_refusal_has_its_exit_code(
    line: str, code: int, words: str, stepsched: CommandLine, cloud: FakeCloud, tmp_path: Path
) -> None:
    (tmp_path / "here.yaml").write_text("- name: cleanup\n  schedule: rate(1 hour)\n  target: ['true']\n")
    cloud.add_stack("shop", {"Resources": {"Shop": {"Type": "AWS::SNS::Topic"}}})
    cloud.add_stack("dead", TEMPLATE, "ROLLBACK_COMPLETE")
    dead = {"Dead": {"Type": "AWS::SQS::Queue", "Properties": {}}}
    full = cloud.add_stack("full", {**TEMPLATE, "Resources": {**TEMPLATE["Resources"], **dead}})
    cloud.messages[full.physical["Dead"]] = 3
    done = stepsched(*line.split())
    assert done.code == code, done.err
    assert words in done.err
    assert "stepsched.deploy" not in done.err
    assert "validation error" not in done.err
    assert done.err.count("\n") == 1


def test_a_resource_that_fails_ends_the_command_with_1(stepsched: CommandLine, cloud: FakeCloud) -> None:
    cloud.fails["Runner"] = ("CREATE_FAILED", "Role is not valid", "ROLLBACK_COMPLETE")
    done = stepsched("deploy", "jobs", "jobs.yaml", "--yes")
    assert done.code == 1
    error = done.err.splitlines()[-1]
    assert error.startswith(
        "error: stack 'jobs' could not be created: Runner (AWS::StepFunctions::StateMachine)"
    )
    assert error.endswith("destroy it with `stepsched destroy jobs`, and plan again")


def test_a_missing_permission_ends_the_command_with_6(stepsched: CommandLine, cloud: FakeCloud) -> None:
    cloud.faults["DescribeStacks"] = [RefusedError("AccessDenied", "not authorized", 403)]
    assert stepsched("deploy", "jobs", "jobs.yaml", "--yes").code == 6


def test_the_table_is_deleted_only_when_asked(stepsched: CommandLine, cloud: FakeCloud) -> None:
    cloud.add_stack("old", TEMPLATE)
    assert stepsched("destroy", "old", "--yes").code == 0
    assert len(cloud.tables) == 1
    cloud.add_stack("other", TEMPLATE)
    done = stepsched("destroy", "other", "--delete-table", terminal=True, stdin="y\n")
    assert "Delete stack other and its table, with all jobs and their history?" in done.err
    assert cloud.tables == {"old-Table-1A2B3C4D5E6F7"}
