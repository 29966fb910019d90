"""The metrics of CloudWatch about the jobs of a table.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.resources import sdk_integration
from stepsched.asl.states import Task
from stepsched.machines.notifications import notice

NAMESPACE = "stepsched"
"""The namespace of all metrics."""
DIMENSION = "StateMachine"
"""The only dimension: the name of the state machine that runs the jobs."""
JOBS_CREATED = "JobsCreated"
"""The number of new jobs."""
JOBS_DELETED = "JobsDeleted"
"""The number of cancelled jobs."""
JOBS_LATE = "JobsLate"
"""The number of active jobs whose next run is overdue. Zero is written too."""
RUNS_FAILED = "RunsFailed"
"""The number of runs that failed for good."""


def metric_data(values: Mapping[str, Any], machine_name: str) -> dict[str, Any]:
    """The request of PutMetricData.

    Args:
        values: For each metric, its value or the expression that gives it.
        machine_name: The name of the state machine that runs the jobs, or the expression that gives it.
    """
    dimensions = [{"Name": DIMENSION, "Value": machine_name}]
    return {
        "Namespace": NAMESPACE,
        "MetricData": [
            {"MetricName": metric, "Dimensions": dimensions, "Value": value, "Unit": "Count"}
            for metric, value in values.items()
        ],
    }


def put_metric_data(partition: str) -> str:
    """The resource of a task that writes metrics."""
    return sdk_integration("cloudwatch", "putMetricData", partition=partition)


def count_failure(partition: str, following: str) -> Task:
    """The task of the runner that counts a run that failed for good. When the count cannot be written, the
    machine continues with ``following`` all the same."""
    data = metric_data({RUNS_FAILED: 1}, "{% $states.context.StateMachine.Name %}")
    return notice(put_metric_data(partition), data, following)
