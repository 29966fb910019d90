"""The contract suite: what every backend on a clock that can be played must keep.

In a test module of yours, with a fixture ``backend`` that gives a fresh backend on the fixture
``clock``::

    from stepsched.testing.contract import *  # noqa: F403

Both can be overridden; ``job`` and ``client`` are built on them.
"""

from stepsched.testing.contract.bulk import *
from stepsched.testing.contract.events import *
from stepsched.testing.contract.fixtures import *
from stepsched.testing.contract.jobs import *
from stepsched.testing.contract.runs import *
