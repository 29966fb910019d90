"""The alarms. They notify the topic of the stack, if it has one."""

from __future__ import annotations

from typing import Any

from stepsched.deploy.parts.base import StackPart
from stepsched.deploy.parts.names import Names
from stepsched.machines.shared.metrics import DIMENSION, JOBS_LATE, NAMESPACE, RUNS_FAILED

_PERIOD_SECONDS = 300


def alarms(names: Names, *, has_topic: bool, has_workflows: bool) -> StackPart:
    """The alarms on runs that failed, on late jobs, on executions that failed, and on workflows that failed.

    An execution that is aborted is no failure: changing or cancelling a job stops its execution.

    Args:
        names: The names of the stack.
        has_topic: Whether the stack has a topic, which is then notified.
        has_workflows: Whether the stack has workflows.
    """
    actions = {"AlarmActions": [names.ref("Topic")]} if has_topic else {}
    own = (NAMESPACE, DIMENSION, names.attribute("Runner", "Name"))
    executions = ("AWS/States", "StateMachineArn", names.ref("Runner"))

    def alarm(
        title: str,
        description: str,
        source: tuple[str, str, Any],
        metric: str,
        *,
        periods: int = 1,
        statistic: str = "Sum",
        missing: str = "notBreaching",
    ) -> dict[str, Any]:
        namespace, dimension, value = source
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                **names.explicit("AlarmName", title),
                "AlarmDescription": description,
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": dimension, "Value": value}],
                "Statistic": statistic,
                "Period": _PERIOD_SECONDS,
                "EvaluationPeriods": periods,
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 0,
                "TreatMissingData": missing,
                **actions,
            },
        }

    failed = "A run of a job failed for good: client.runs(status='failed')"
    # Without a value the watch itself does not work. Two periods, because the watch starts a little earlier
    # or later each time.
    late = "A job is late, or the watch does not run: client.repair()"
    ended = "An execution failed, and its job does not run: client.repair()"
    of_workflows = {}
    if has_workflows:
        title, source = "workflows-failed", ("AWS/States", "StateMachineArn", names.ref("Workflows"))
        words = "A run of a workflow failed, or its execution: WorkflowClient.runs(status='failed')"
        of_workflows[names.logical("WorkflowsFailedAlarm")] = alarm(title, words, source, "ExecutionsFailed")
    return StackPart(
        {
            names.logical("RunsFailedAlarm"): alarm("runs-failed", failed, own, RUNS_FAILED),
            names.logical("JobsLateAlarm"): alarm(
                "jobs-late", late, own, JOBS_LATE, periods=2, statistic="Maximum", missing="breaching"
            ),
            names.logical("ExecutionsFailedAlarm"): alarm(
                "executions-failed", ended, executions, "ExecutionsFailed"
            ),
            **of_workflows,
        }
    )
