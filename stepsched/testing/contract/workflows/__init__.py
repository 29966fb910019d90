"""Tests of backends that run workflows: order, outcomes, failures, restarts, skips and cancels.

How the outcome of a step is scripted differs from backend to backend, so the suite asks a
:class:`WorkflowLab` for its steps. To run it, import it in a test module with a fixture ``lab``::

    from stepsched.testing.contract.workflows import *  # noqa: F403

Every test makes its own workflow. ``lab.name`` is the name of that workflow, unique in the backend.
"""

from stepsched.testing.contract.workflows.lab import *
from stepsched.testing.contract.workflows.operations import *
from stepsched.testing.contract.workflows.order import *
from stepsched.testing.contract.workflows.outcomes import *
from stepsched.testing.contract.workflows.records import *
from stepsched.testing.contract.workflows.restarts import *
