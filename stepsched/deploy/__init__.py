"""The AWS resources of the Step Functions backend: a table, a state machine that runs its jobs, a role, and
optional parts.

:func:`template` returns them as one CloudFormation template, :func:`client_policy` the IAM policy of the
application that creates jobs, and :func:`runner_policy` that of a role which is given to the template. The
functions are pure.
"""

from stepsched.deploy.parts import Part
from stepsched.deploy.policies import client_policy, runner_policy
from stepsched.deploy.templates import template
from stepsched.machines.shared.registration import registration

__all__ = ["Part", "client_policy", "registration", "runner_policy", "template"]


def __dir__() -> list[str]:
    return __all__
