"""The embedded backend, from bottom to top.

``database`` is the connection, ``schema`` its tables, ``rows`` their values, ``store`` the statements.
``policy`` makes decisions; ``invoke`` calls handlers, with ``parts``, ``commands`` and ``loops``;
``listeners`` and ``letters`` deliver events and dead letters. ``turns`` combines them into transactions,
``engine`` runs them in threads, and ``playing`` on a fake clock. ``process`` and ``leases`` detect dead
workers; ``waking`` wakes the dispatcher. ``backend`` implements the port.
"""

from stepsched.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
