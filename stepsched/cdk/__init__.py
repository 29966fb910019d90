"""Constructs for the AWS CDK: jobs, schedulers and queues as parts of a stack, without a Lambda function.

Requires the extra ``cdk``: ``pip install 'stepsched[cdk]'``.
"""

from stepsched.cdk.arns import arn_of, target_of
from stepsched.cdk.job_schedule import JobSchedule

__all__ = ["JobSchedule", "arn_of", "target_of"]


def __dir__() -> list[str]:
    return __all__
