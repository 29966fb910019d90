"""The AWS resources of the Step Functions backend: a table, a state machine that runs its jobs, and a role.

:func:`template` returns them as one CloudFormation template, and :func:`client_policy` the IAM policy of the
application that creates jobs. :func:`jobs_to_cloudformation` and :func:`jobs_to_terraform` return jobs on
EventBridge Scheduler as templates. All functions are pure.
"""

from stepsched.deploy.exports import jobs_to_cloudformation, jobs_to_terraform
from stepsched.deploy.policies import client_policy
from stepsched.deploy.templates import template

__all__ = ["client_policy", "jobs_to_cloudformation", "jobs_to_terraform", "template"]


def __dir__() -> list[str]:
    return __all__
