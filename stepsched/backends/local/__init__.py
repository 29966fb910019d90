"""The embedded backend: ``store`` keeps, ``policy`` decides, ``invoke`` calls, ``backend`` performs."""

from stepsched.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
