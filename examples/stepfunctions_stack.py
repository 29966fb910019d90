"""The resources in AWS for jobs on Step Functions: the stack, and minimal permissions.

Nothing is called: ``python examples/stepfunctions_stack.py`` needs no account.
"""

from __future__ import annotations

import json

import stepsched as ss

PLACE = "eu-west-1:123456789012"
TARGETS: list[ss.Target] = [ss.LambdaTarget(f"arn:aws:lambda:{PLACE}:function:close-the-books")]
ALARMS = ss.TopicTarget(f"arn:aws:sns:{PLACE}:alarms")


def main() -> None:
    stack = ss.deploy.template(TARGETS, topics=[ALARMS])
    text = json.dumps(stack, separators=(",", ":"))
    print(f"The template has {len(text):,} characters and holds")
    for name, resource in stack["Resources"].items():
        print(f"    {name:<12}{resource['Type']}")

    print("\nThe machine may")
    (policy,) = stack["Resources"]["RunnerRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        print(f"    {show(statement)}")

    print("\nThe application may")
    least = ss.deploy.client_policy(
        table_arn=f"arn:aws:dynamodb:{PLACE}:table/jobs-Table-1",  # its name: the output TableName
        state_machine_arn=f"arn:aws:states:{PLACE}:stateMachine:jobs",  # the output StateMachineArn
    )
    for statement in least["Statement"]:
        print(f"    {show(statement)}")


def show(statement: dict[str, list[str]]) -> str:
    """Returns a statement in one line."""
    places = [each if isinstance(each, str) else json.dumps(each) for each in statement["Resource"]]
    return f"{statement['Sid']}: {', '.join(statement['Action'])} on {', '.join(places)}"


if __name__ == "__main__":
    main()
