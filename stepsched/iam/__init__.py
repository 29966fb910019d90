"""IAM policy documents for jobs on EventBridge Scheduler.

Three functions are pure and return documents to hand to any tool that makes roles:
:func:`trust_policy` says who may take the execution role, :func:`policy_for` what that role may do,
and :func:`caller_policy` what whoever uses the client may do. :func:`ensure_role` alone calls AWS.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from stepsched.iam.documents import caller_policy, policy_for, trust_policy
from stepsched.iam.roles import ensure_role

__all__ = ["caller_policy", "ensure_role", "policy_for", "trust_policy"]
