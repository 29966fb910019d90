"""The AWS resources of the Step Functions backend: a table, a state machine that runs its jobs, and a role.

:func:`template` returns them as one CloudFormation template, and :func:`client_policy` the IAM policy of the
application that creates jobs. Both functions are pure.
"""

from stepsched.deploy.parts import Part
from stepsched.deploy.policies import client_policy, runner_policy
from stepsched.deploy.templates import template
from stepsched.machines.shared.registration import registration

__all__ = ["Part", "client_policy", "registration", "runner_policy", "template"]


def __dir__() -> list[str]:
    return __all__
