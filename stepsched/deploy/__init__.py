"""The resources in AWS for jobs on Step Functions: a table, a machine that runs its jobs, and a role.

:func:`template` returns all of them as one CloudFormation template, and :func:`client_policy` the permissions
of the application that creates jobs. Both are pure.
"""

from stepsched.deploy.policies import client_policy
from stepsched.deploy.templates import template

__all__ = ["client_policy", "template"]


def __dir__() -> list[str]:
    return __all__
