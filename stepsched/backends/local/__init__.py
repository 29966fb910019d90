"""The embedded backend: ``store`` keeps, ``policy`` decides, ``invoke`` calls, ``process`` tells the
living from the dead, ``backend`` performs."""

from stepsched.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
