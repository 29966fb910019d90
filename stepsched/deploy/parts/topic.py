"""The topic for notifications of jobs and of alarms.

It has no key of its own: alarms of CloudWatch cannot publish to a topic that is encrypted with the key of
Amazon SNS, and a customer managed key costs a fee.
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""

from __future__ import annotations

from stepsched.deploy.parts.base import StackPart, output
from stepsched.deploy.parts.names import TOPIC, Names


def topic(names: Names) -> StackPart:
    """The topic."""
    resource = {"Type": "AWS::SNS::Topic", "Properties": names.explicit("TopicName", TOPIC)}
    outputs = {
        names.logical("TopicArn"): output(
            "The topic for notifications of jobs and alarms", names.ref("Topic")
        )
    }
    return StackPart({names.logical("Topic"): resource}, outputs)
