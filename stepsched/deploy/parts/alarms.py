"""The alarms. They notify the topic of the stack, if it has one."""

from __future__ import annotations

from typing import Any

from stepsched.deploy.parts.base import StackPart
from stepsched.deploy.parts.names import Names
from stepsched.machines.shared.metrics import DIMENSION, JOBS_LATE, NAMESPACE, RUNS_FAILED

_PERIOD = 300
_FAILURES = ("ExecutionsFailed", "ExecutionsTimedOut")
"""The executions that ended by themselves: an execution is also aborted when its job is changed."""


def alarms(names: Names, *, has_topic: bool) -> StackPart:
    """The alarms on runs that failed, on late jobs, and on executions that failed.

    Args:
        names: The names of the stack.
        has_topic: Whether the stack has a topic, which is then notified.
    """
    actions = {"AlarmActions": [names.ref("Topic")]} if has_topic else {}
    own = {
        "Namespace": NAMESPACE,
        "Dimensions": [{"Name": DIMENSION, "Value": names.attribute("Runner", "Name")}],
        "Period": _PERIOD,
    }

    def alarm(name: str, title: str, description: str, **properties: Any) -> tuple[str, dict[str, Any]]:
        return names.logical(name), {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                **names.explicit("AlarmName", title),
                "AlarmDescription": description,
                **properties,
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 0,
                **actions,
            },
        }

    return StackPart(
        dict(
            (
                alarm(
                    "RunsFailedAlarm",
                    "runs-failed",
                    "A run of a job failed for good. client.runs(status='failed') lists it",
                    **own,
                    MetricName=RUNS_FAILED,
                    Statistic="Sum",
                    EvaluationPeriods=1,
                    TreatMissingData="notBreaching",
                ),
                # Without a value the watch itself does not work. Two periods, because an execution of the
                # watch may fall into the next one.
                alarm(
                    "JobsLateAlarm",
                    "jobs-late",
                    "A job is late, or the watch does not run. client.repair() recovers jobs",
                    **own,
                    MetricName=JOBS_LATE,
                    Statistic="Maximum",
                    EvaluationPeriods=2,
                    TreatMissingData="breaching",
                ),
                alarm(
                    "ExecutionsFailedAlarm",
                    "executions-failed",
                    "An execution failed, so its job does not run. client.repair() recovers it",
                    Metrics=[
                        {
                            "Id": "failures",
                            "Expression": " + ".join(f"FILL(m{index}, 0)" for index in range(len(_FAILURES))),
                            "Label": "executions that failed",
                        },
                        *(_executions(names, index, metric) for index, metric in enumerate(_FAILURES)),
                    ],
                    EvaluationPeriods=1,
                    TreatMissingData="notBreaching",
                ),
            )
        )
    )


def _executions(names: Names, index: int, metric: str) -> dict[str, Any]:
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/States",
                "MetricName": metric,
                "Dimensions": [{"Name": "StateMachineArn", "Value": names.ref("Runner")}],
            },
            "Period": _PERIOD,
            "Stat": "Sum",
        },
        "ReturnData": False,
    }
