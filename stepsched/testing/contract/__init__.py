"""The contract suite for backends, in modules to choose from.

To run the whole suite, import it in a test module with a fixture ``backend`` that returns a new backend on
the fixture ``clock``::

    from stepsched.testing.contract import *  # noqa: F403

This is the suite for a backend that is played in the process of the tests, such as ``LocalBackend``. For any
other backend, import the modules that apply, and define your own fixtures in place of ``defaults``. The suite
tests each of the backend's ``capabilities``, and that the backend refuses what it cannot do.

- ``fixtures``: the clock, the client and the jobs; required by all modules.
- ``verbs``: every verb on single jobs, its results and errors. No run has to start.
- ``enabling``: jobs that are disabled in their definition. No run has to start.
- ``pausing``: the reason of a pause, and ``pause_many``. No run has to start.
- ``zones``: instants have the zone of their schedule.
- ``bulk``: many jobs at once, plans and pruning. No run has to start.
- ``refusals``: a backend supports each capability, or refuses it with a reason. No run has to start.
- ``foreign``: schedules that other software has created; requires a fixture ``foreign``.
- ``names``: names that are long, or have other characters than ``A-Z a-z 0-9 - _ .``.
  No run has to start.
- ``firing``: which targets are called, and when.
- ``exact``: exact firing: zones, order, first and last instants, pauses.
- ``history``: the records of runs: attempts, results, earlier versions, backfill, dead letters.
- ``failures``: ``on_failure``, ``notify`` and ``dead_letter``; several targets in one run.
- ``events``: the events that listeners receive.
- ``recorded``: the events that can be read again later (``keeps_events``).

Backends that run workflows have a suite of their own, :mod:`stepsched.testing.contract.workflows`.
"""

from stepsched.testing.contract.bulk import *
from stepsched.testing.contract.defaults import *
from stepsched.testing.contract.enabling import *
from stepsched.testing.contract.events import *
from stepsched.testing.contract.exact import *
from stepsched.testing.contract.failures import *
from stepsched.testing.contract.firing import *
from stepsched.testing.contract.fixtures import *
from stepsched.testing.contract.history import *
from stepsched.testing.contract.names import *
from stepsched.testing.contract.pausing import *
from stepsched.testing.contract.recorded import *
from stepsched.testing.contract.refusals import *
from stepsched.testing.contract.verbs import *
from stepsched.testing.contract.zones import *
