"""The Regions of AWS that have larger quotas than the others."""

from __future__ import annotations

LARGE_REGIONS = frozenset(
    {
        "us-east-1",
        "us-east-2",
        "us-west-2",
        "ap-northeast-1",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "sa-east-1",
    }
)
"""The Regions in which EventBridge Scheduler allows 1,000 invocations per second by default:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
"""

LARGE_STEP_FUNCTIONS_REGIONS = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
"""The Regions in which Step Functions has the larger quotas of state transitions and of starts of executions:
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
