"""The dashboard.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from typing import Any

from stepsched.deploy.parts.base import StackPart, output
from stepsched.deploy.parts.names import JOBS, Names
from stepsched.machines.shared.metrics import (
    DIMENSION,
    JOBS_CREATED,
    JOBS_DELETED,
    JOBS_LATE,
    NAMESPACE,
    RUNS_FAILED,
)

_EXECUTIONS = ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")


def dashboard(names: Names) -> StackPart:
    """The dashboard with the metrics of the jobs and of the state machine."""
    name, arn = (f"${{{names.logical('Runner')}{attribute}}}" for attribute in (".Name", ""))
    jobs = (NAMESPACE, DIMENSION, name)
    widgets = [
        _widget("Jobs", 0, jobs, [JOBS_CREATED, JOBS_DELETED]),
        _widget("Failed runs, late jobs", 8, jobs, [RUNS_FAILED, JOBS_LATE]),
        _widget(
            "Executions",
            16,
            ("AWS/States", "StateMachineArn", arn),
            [f"Executions{each}" for each in _EXECUTIONS],
        ),
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    resource = {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {**names.explicit("DashboardName", JOBS), "DashboardBody": {"Fn::Sub": body}},
    }
    outputs = {names.logical("DashboardName"): output("The dashboard of the jobs", names.ref("Dashboard"))}
    return StackPart({names.logical("Dashboard"): resource}, outputs)


def _widget(title: str, left: int, source: tuple[str, str, str], metrics: list[str]) -> dict[str, Any]:
    """A diagram of metrics.

    Args:
        title: The title.
        left: The column of its left edge, of 24.
        source: The namespace, and the name and value of the dimension.
        metrics: The names of the metrics.
    """
    namespace, dimension, value = source
    first, *others = metrics
    # A point takes the place of the part above it.
    rows = [[namespace, first, dimension, value], *([".", each, ".", "."] for each in others)]
    return {
        "type": "metric",
        "x": left,
        "y": 0,
        "width": 8,
        "height": 6,
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "period": 300,
            "stat": "Sum",
            "metrics": rows,
        },
    }
