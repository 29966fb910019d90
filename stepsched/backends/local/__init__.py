"""The embedded backend, from bottom to top.

``database`` is the connection, ``schema`` its tables, ``rows`` their values, ``store`` the statements.
``policy`` decides; ``invoke`` calls, with ``parts``, ``commands`` and ``loops``; ``listeners`` and
``letters`` tell. ``turns`` puts all of that into transactions, ``engine`` into threads, and ``playing`` onto
a clock that is set. ``process`` and ``leases`` find out which workers have died; ``waking`` wakes the
dispatcher. ``backend`` is the port.
"""

from stepsched.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
