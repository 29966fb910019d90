"""Roles of EventBridge Scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stepsched.cdk.arns import resolved_in
from stepsched.iam.documents import SERVICE


def invoking_role(scope: Construct, id: str, *, group: str, policy: Mapping[str, Any]) -> iam.Role:  # noqa: A002
    """A role that EventBridge Scheduler assumes for the schedules of a group.

    The ARN of a schedule in the conditions would be refused: AWS supports only the group.
    """
    stack = cdk.Stack.of(scope)
    source = stack.format_arn(service="scheduler", resource="schedule-group", resource_name=group)
    conditions = {"StringEquals": {"aws:SourceAccount": stack.account, "aws:SourceArn": source}}
    return iam.Role(
        scope,
        id,
        assumed_by=iam.PrincipalWithConditions(iam.ServicePrincipal(SERVICE), conditions),
        description="Lets EventBridge Scheduler run a job of stepsched",
        inline_policies={"stepsched": iam.PolicyDocument.from_json(resolved_in(dict(policy)))},
    )
