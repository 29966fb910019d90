"""The AWS resources of the Step Functions backend: a table, a state machine that runs its jobs, and a role.

:func:`template` returns them as one CloudFormation template, and :func:`client_policy` the IAM policy of the
application that creates jobs. Both functions are pure. :func:`plan`, :func:`apply`, :func:`discard` and
:func:`destroy` call AWS: they show what a template would change, change it, and remove the stack.
"""

from stepsched.deploy.parts import Part
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
    "Part",
    "ResourceChange",
    "StackPlan",
    "apply",
    "client_policy",
    "destroy",
    "discard",
    "plan",
    "registration",
    "runner_policy",
    "template",
]


def __dir__() -> list[str]:
    return __all__
