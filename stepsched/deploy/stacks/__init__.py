"""Stacks: plans of what changes, the changes themselves, and the removal.

:func:`plan` prepares a change and says what it would do, :func:`apply` makes it, :func:`discard` drops it,
and :func:`destroy` removes a stack. They call CloudFormation, and S3 for long templates.
"""

from stepsched.deploy.stacks.applying import apply
from stepsched.deploy.stacks.destroying import destroy
from stepsched.deploy.stacks.planning import discard, plan
from stepsched.deploy.stacks.values import DeployedStack, DestroyedStack, ResourceChange, StackPlan

__all__ = [
    "DeployedStack",
    "DestroyedStack",
    "ResourceChange",
    "StackPlan",
    "apply",
    "destroy",
    "discard",
    "plan",
]
