"""IAM policy documents for jobs on EventBridge Scheduler, and for state machines.

Most functions are pure and return documents for any tool that creates roles: :func:`trust_policy` returns the
trust policy of the execution role, :func:`policy_for` its permissions, and :func:`client_policy` the
permissions of the application that uses the client. :func:`machine_trust_policy` and :func:`machine_policy`
are the first two for a state machine, such as that of ``render_asl``. Only :func:`ensure_role` calls AWS.

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
