"""The AWS resources of the Step Functions backend: a table, a state machine that runs its jobs, a role, and
optional parts.

These functions are pure: :func:`template` returns them as one CloudFormation template, :func:`client_policy`
the IAM policy of the application that creates jobs, :func:`runner_policy` that of a role which is given to
the template, :func:`registration` a job for calls of the machine *register*, and
:func:`jobs_to_cloudformation` and :func:`jobs_to_terraform` jobs on EventBridge Scheduler as templates.

These call AWS: :func:`plan` shows what a template would change, :func:`apply` changes it, :func:`discard`
drops the plan, and :func:`destroy` removes the stack.
"""

from stepsched.deploy.exports import jobs_to_cloudformation, jobs_to_terraform
from stepsched.deploy.parts import HttpPart, Part
from stepsched.deploy.policies import client_policy, runner_policy
from stepsched.deploy.stacks import (
    DeployedStack,
    DestroyedStack,
    ResourceChange,
    StackPlan,
    apply,
    destroy,
    discard,
    plan,
)
from stepsched.deploy.templates import template
from stepsched.machines.shared.registration import registration

__all__ = [
    "DeployedStack",
    "DestroyedStack",
    "HttpPart",
    "Part",
    "ResourceChange",
    "StackPlan",
    "apply",
    "client_policy",
    "destroy",
    "discard",
    "jobs_to_cloudformation",
    "jobs_to_terraform",
    "plan",
    "registration",
    "runner_policy",
    "template",
]


def __dir__() -> list[str]:
    return __all__
