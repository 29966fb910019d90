"""The contract suite itself: a store in memory keeps it."""

from __future__ import annotations

from stepsched.testing.contract.workflows import *
