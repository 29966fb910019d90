"""What a Task asks for: its resource, and the parameters of the call.

The parameters are compared with botocore's service models, which load on first use; nothing goes over the
network. Where Step Functions has parameters of its own, small tables say so.
"""

from __future__ import annotations

from stepsched.asl.services.arguments import check_arguments
from stepsched.asl.services.resources import check_resource

__all__ = ["check_arguments", "check_resource"]
