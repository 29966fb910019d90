"""The contract suite: what every backend must keep, in modules to choose from.

In a test module of yours, with a fixture ``backend`` that gives a fresh backend on the fixture
``clock``, all of it is::

    from stepsched.testing.contract import *  # noqa: F403

That is the suite for a backend that is played in this process, as ``LocalBackend`` is. For another one,
import the modules that fit, and have fixtures of your own in place of ``defaults``. Each of the backend's
``capabilities`` is proven; what they deny, the backend must refuse by name.

- ``fixtures``: the clock, the client and the jobs; all modules need them.
- ``verbs``: jobs one by one: every verb, its errors and its answers. Nothing has to fire.
- ``zones``: instants are told in the zone of their schedule.
- ``bulk``: many jobs at once, plans, pruning. Nothing has to fire.
- ``refusals``: either a backend can do it, or it says so. Nothing has to fire.
- ``foreign``: jobs that others have made in the same place; needs a fixture ``foreign``.
- ``firing``: what is called, and when.
- ``exact``: firing to the letter: zones, order, first and last instants, pauses.
- ``history``: what is recorded of runs: attempts, results, earlier definitions, backfill, dead letters.
- ``failures``: runs that failed for good stop their job or are told to a topic; several targets in one run.
- ``events``: what listeners are told.
"""

from stepsched.testing.contract.bulk import *
from stepsched.testing.contract.defaults import *
from stepsched.testing.contract.events import *
from stepsched.testing.contract.exact import *
from stepsched.testing.contract.failures import *
from stepsched.testing.contract.firing import *
from stepsched.testing.contract.fixtures import *
from stepsched.testing.contract.history import *
from stepsched.testing.contract.refusals import *
from stepsched.testing.contract.verbs import *
from stepsched.testing.contract.zones import *
