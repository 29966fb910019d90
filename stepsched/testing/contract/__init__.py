"""The contract suite: what every backend must keep, in modules to choose from.

In a test module of yours, with a fixture ``backend`` that gives a fresh backend on the fixture
``clock``, all of it is::

    from stepsched.testing.contract import *  # noqa: F403

That is the suite for a backend that can do everything, as ``LocalBackend`` can. For one that cannot,
override the fixture ``abilities``: what it denies must be refused by name; and import the modules that
fit, after ``fixtures``, which all of them need:

- ``verbs``: jobs one by one: every verb, its errors and its answers. Nothing has to fire.
- ``bulk``: many jobs at once, plans, pruning. Nothing has to fire.
- ``refusals``: either a backend can do it, or it says so.
- ``foreign``: jobs that others have made in the same place; needs the fixture ``foreign``.
- ``firing``: what is called, and when; needs the fixtures ``play`` and ``calls``.
- ``exact``: firing to the letter: zones, order, first instants, what passed while a job was paused.
- ``history``: what is recorded of runs, retries, versions, backfill, dead letters.
- ``events``: what listeners are told.

All fixtures can be overridden; they are described where they stand, in ``fixtures``.
"""

from stepsched.testing.contract.bulk import *
from stepsched.testing.contract.events import *
from stepsched.testing.contract.exact import *
from stepsched.testing.contract.firing import *
from stepsched.testing.contract.fixtures import *
from stepsched.testing.contract.history import *
from stepsched.testing.contract.refusals import *
from stepsched.testing.contract.verbs import *
