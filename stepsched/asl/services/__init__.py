"""Checks the calls of Tasks: the resource, and the parameters of the call.

The parameters are compared with botocore's service models, which are loaded on first use, without network
access. Small tables hold the parameters that differ in Step Functions.
"""

from __future__ import annotations

from stepsched.asl.services.arguments import check_arguments
from stepsched.asl.services.resources import check_resource

__all__ = ["check_arguments", "check_resource"]
