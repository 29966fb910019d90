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
    jobs = (DIMENSION, name)
    widgets = [
        _widget("Jobs", 0, NAMESPACE, jobs, {JOBS_CREATED: "Sum", JOBS_DELETED: "Sum"}),
        _widget("Failed runs, late jobs", 8, NAMESPACE, jobs, {RUNS_FAILED: "Sum", JOBS_LATE: "Maximum"}),
        _widget(
            "Executions",
            16,
            "AWS/States",
            ("StateMachineArn", arn),
            dict.fromkeys((f"Executions{each}" for each in _EXECUTIONS), "Sum"),
        ),
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    resource = {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {**names.explicit("DashboardName", JOBS), "DashboardBody": {"Fn::Sub": body}},
    }
    outputs = {names.logical("DashboardName"): output("The dashboard of the jobs", names.ref("Dashboard"))}
    return StackPart({names.logical("Dashboard"): resource}, outputs)


def _widget(
    title: str, left: int, namespace: str, dimension: tuple[str, str], metrics: dict[str, str]
) -> dict[str, Any]:
    """A diagram of metrics.

    Args:
        title: The title.
        left: The column of its left edge, of 24.
        namespace: The namespace of the metrics.
        dimension: The name and value of their dimension.
        metrics: The statistic of each metric.
    """
    rows = [[namespace, metric, *dimension, {"stat": stat}] for metric, stat in metrics.items()]
    return {
        "type": "metric",
        "x": left,
        "y": 0,
        "width": 8,
        "height": 6,
        "properties": {"title": title, "region": "${AWS::Region}", "period": 300, "metrics": rows},
    }
