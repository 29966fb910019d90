"""IAM policy documents for jobs on EventBridge Scheduler, and for state machines.

Most functions are pure and return documents to hand to any tool that makes roles:
:func:`trust_policy` says who may take the execution role, :func:`policy_for` what that role may do,
and :func:`client_policy` what whoever uses the client may do. :func:`machine_trust_policy` and
:func:`machine_policy` do the first two for a state machine, such as that of ``render_asl``.
:func:`ensure_role` alone calls AWS.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from stepsched.iam.documents import client_policy, policy_for, trust_policy
from stepsched.iam.machines import machine_policy, machine_trust_policy
from stepsched.iam.roles import ensure_role

__all__ = [
    "client_policy",
    "ensure_role",
    "machine_policy",
    "machine_trust_policy",
    "policy_for",
    "trust_policy",
]


def __dir__() -> list[str]:
    return __all__
