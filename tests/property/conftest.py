"""The profile of these tests: the same examples on every machine, with no limit on one example."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "stepsched",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=400,
    # A busy machine draws slowly; which examples are drawn stays the same.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("stepsched")
