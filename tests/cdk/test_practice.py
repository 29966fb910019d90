"""Known bad practice is absent or argued: the rules of cdk-nag; and the example app."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag
import pytest
from aws_cdk import assertions

import stepsched as ss
from stepsched.cdk import FanOut, JobSchedule, Scheduler
from tests.cdk.conftest import ENVIRONMENT
from tests.docs.snippets import pieces, run
from tests.gate import ROOT

ARGUED = {
    "AwsSolutions-IAM5": "No action is allowed on all resources but writing metrics of one namespace; "
    "executions and indexes have names that nobody knows before",
    "AwsSolutions-SF1": "An execution's history says what the log would, without its cost",
    "AwsSolutions-SF2": "X-Ray costs more than the runs",
}
"""Rules that the constructs break, each with the reason."""


def test_no_rule_is_broken_without_a_reason(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False)
    stack = cdk.Stack(app, "Jobs", env=ENVIRONMENT)
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    cron = ss.Cron("0 9 * * ? *")
    scheduler = Scheduler(stack, "Scheduler", alarms=True, dashboard=True)
    scheduler.grant_invoke(target)
    FanOut(stack, "Tasks", schedule=cron, messages=["one"])
    JobSchedule(stack, "Nightly", job=ss.Job(name="nightly", schedule=cron, target=target))
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="AwsSolutions"):
        app.synth()
    (report,) = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    broken = {
        (each["ruleName"].partition("[")[0], where["constructPath"].split("/")[1])
        for each in report["violations"]
        for where in each["violatingConstructs"]
    }
    assert broken == {(rule, "Scheduler") for rule in ARGUED}
    page = (ROOT / "docs" / "cdk.md").read_text("utf-8")
    for rule, reason in ARGUED.items():
        assert f"`{rule}`" in page
        assert reason in " ".join(page.split())


def test_the_example_is_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    stack = runpy.run_path(str(ROOT / "examples" / "cdk_app" / "app.py"))["app"].node.find_child("reports")
    made = assertions.Template.from_stack(stack)
    made.resource_count_is("AWS::StepFunctions::StateMachine", 4)
    made.resource_count_is("AWS::Scheduler::Schedule", 1)
    made.resource_count_is("AWS::Lambda::Function", 0)


def test_the_snippets_of_the_page_are_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    names: dict[str, Any] = {}
    for piece in re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "cdk.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        exec(compile(piece, "docs/cdk.md", "exec"), names)
    made = assertions.Template.from_stack(names["stack"])
    made.resource_count_is("AWS::Scheduler::Schedule", 3)
    made.resource_count_is("AWS::Lambda::Function", 0)


def test_the_page_for_people_of_aws_scheduler_shows_two_schedules_that_are_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    page = ROOT / "docs" / "coming-from" / "aws-scheduler-cdk.md"
    assert len(pieces(page.read_text("utf-8"))) == 5
    assert run(page) == 0
