"""A stack of the shape of the AWS Solutions scheduler: its outputs, its metadata, its table, and a machine
whose executions wait, start what the task says, and start their successors, as that system's do."""

from __future__ import annotations

import json
from typing import Any

from tests.parts.state_machines import ROLE

TABLE_KEYS = ("name", "version")
TARGET = "importer"


def definition() -> dict[str, Any]:
    """The machine: one execution is one occurrence. It waits a quarter of an hour, whatever the schedule."""
    successor = "States.ArrayGetItem(States.StringSplit(States.UUID(), '-'), 4)"
    return {
        "StartAt": "Read",
        "States": {
            "Read": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:getItem",
                "Parameters": {
                    "TableName": "${TableName}",
                    "Key": {"name": {"S.$": "$.name"}, "version": {"S": "v0"}},
                },
                "ResultPath": "$.task",
                "Next": "Wait",
            },
            "Wait": {"Type": "Wait", "Seconds": 900, "Next": "Run"},
            "Run": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution",
                "Parameters": {
                    "StateMachineArn.$": "$.task.Item.state_machine_arn.S",
                    "Input": {"task.$": "$.name"},
                },
                "ResultPath": None,
                "Next": "Succeed by another",
            },
            "Succeed by another": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution",
                "Parameters": {
                    "StateMachineArn.$": "$$.StateMachine.Id",
                    "Name.$": f"States.Format('{{}}-{{}}', $.name, {successor})",
                    "Input": {"name.$": "$.name"},
                },
                "End": True,
            },
        },
    }


def template(**metadata: str) -> dict[str, Any]:
    """The template of the stack.

    Args:
        **metadata: The members ``solution_id`` and ``solution_version`` of its metadata.
    """
    machine = {"Type": "AWS::StepFunctions::StateMachine"}
    target = {"StartAt": "Import", "States": {"Import": {"Type": "Succeed"}}}
    return {
        "Metadata": {f"aws:solutions:{key}": value for key, value in metadata.items()},
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "KeySchema": [
                        {"AttributeName": name, "KeyType": kind}
                        for name, kind in zip(TABLE_KEYS, ("HASH", "RANGE"), strict=True)
                    ],
                    "AttributeDefinitions": [
                        {"AttributeName": name, "AttributeType": "S"} for name in TABLE_KEYS
                    ],
                    "BillingMode": "PAY_PER_REQUEST",
                },
            },
            "Scheduler": {
                **machine,
                "Properties": {
                    "StateMachineName": "personalizestack-personalize-scheduler",
                    "RoleArn": ROLE,
                    "DefinitionString": json.dumps(definition()),
                    "DefinitionSubstitutions": {"TableName": {"Ref": "Table"}},
                },
            },
            "Target": {
                **machine,
                "Properties": {
                    "StateMachineName": TARGET,
                    "RoleArn": ROLE,
                    "DefinitionString": json.dumps(target),
                },
            },
        },
        "Outputs": {
            "SchedulerTableName": {"Value": {"Ref": "Table"}},
            "SchedulerStepFunctionArn": {"Value": {"Ref": "Scheduler"}},
        },
    }
