"""The table of jobs. It is retained when the stack is deleted, or when an update would replace it."""

from __future__ import annotations

from stepsched.deploy.parts.base import StackPart, output
from stepsched.deploy.parts.names import JOBS, Names
from stepsched.machines.shared.table_schema import creation, time_to_live


def table(names: Names) -> StackPart:
    """The table, unless the stack uses an existing one."""
    outputs = {
        names.logical("TableName"): output("The table of jobs", names.table_ref),
        names.logical("TableArn"): output("The ARN of the table", names.table_arn),
    }
    if names.existing_table is not None:
        return StackPart({}, outputs)
    properties = creation("")
    del properties["TableName"]  # CloudFormation chooses a unique name, unless there is a prefix
    resource = {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            **names.explicit("TableName", JOBS),
            **properties,
            "TimeToLiveSpecification": time_to_live(),
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    }
    return StackPart({names.logical("Table"): resource}, outputs)
