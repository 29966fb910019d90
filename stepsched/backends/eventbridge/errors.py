"""Moved."""

from stepsched.sdk import *  # noqa: F403
from stepsched.sdk import mapped as mapped
