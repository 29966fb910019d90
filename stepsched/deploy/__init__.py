"""What has to stand in AWS for jobs on Step Functions: a table, a machine that runs its jobs, and a role.

:func:`template` gives all of it as one CloudFormation template, and :func:`client_policy` what the
application that creates jobs must be allowed. Both are pure.
"""

from stepsched.deploy.policies import client_policy
from stepsched.deploy.templates import template

__all__ = ["client_policy", "template"]


def __dir__() -> list[str]:
    return __all__
