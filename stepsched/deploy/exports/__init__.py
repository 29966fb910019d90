"""Jobs as templates of other tools, for accounts in which no program may create schedules.

- :func:`jobs_to_cloudformation`: one CloudFormation template
- :func:`jobs_to_terraform`: one file in the JSON syntax of Terraform

Both say what ``client.apply(jobs)`` on an :class:`EventBridgeBackend` would send. The functions are pure.
"""

from stepsched.deploy.exports.cloudformation import jobs_to_cloudformation
from stepsched.deploy.exports.terraform import jobs_to_terraform

__all__ = ["jobs_to_cloudformation", "jobs_to_terraform"]


def __dir__() -> list[str]:
    return __all__
