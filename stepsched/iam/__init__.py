"""IAM policy documents for jobs on EventBridge Scheduler, and for state machines.

- :func:`trust_policy`: the trust policy of the execution role of jobs.
- :func:`policy_for`: the permissions of that role.
- :func:`client_policy`: the permissions of an application that uses the client.
- :func:`machine_trust_policy` and :func:`machine_policy`: the same for the execution role of a state machine,
  such as that of ``render_asl``.
- :func:`deployer_policy`: the permissions of who deploys a stack, such as a pipeline.
- :func:`ensure_role`: creates or updates the execution role. It calls AWS; all other functions are pure.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from stepsched.iam.deployers import deployer_policy
from stepsched.iam.documents import client_policy, policy_for, trust_policy
from stepsched.iam.machines import machine_policy, machine_trust_policy
from stepsched.iam.roles import ensure_role

__all__ = [
    "client_policy",
    "deployer_policy",
    "ensure_role",
    "machine_policy",
    "machine_trust_policy",
    "policy_for",
    "trust_policy",
]


def __dir__() -> list[str]:
    return __all__
