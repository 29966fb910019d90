"""Counts new and cancelled jobs in CloudWatch. A count that cannot be written never fails the verb."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from stepsched.aws.sdk import Closed, mapped
from stepsched.core.errors import BackendError, ScheduleWarning
from stepsched.machines.shared.metrics import metric_data


class JobCounts:
    """The counts of one state machine. Thread-safe."""

    def __init__(self, connect: Callable[[], Any] | None, machine_name: str) -> None:
        """The counts.

        Args:
            connect: Makes the client of CloudWatch, when it is first used. None: nothing is counted.
            machine_name: The name of the state machine.
        """
        self._connect = connect
        self._machine_name = machine_name
        self._client: Any = None
        self._lock = Lock()
        self._open_batches = 0
        self._counted: Counter[str] = Counter()

    def close(self) -> None:
        """Closes the connections; closing again has no effect."""
        if self._client is not None:
            self._client.close()
        self._client = Closed("cloudwatch")

    def add(self, metric: str) -> None:
        """Counts one job. Outside of a batch, the count is written at once."""
        if self._connect is None:
            return
        with self._lock:
            self._counted[metric] += 1
        self._write()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Writes the counts of its block in one call, at its end."""
        with self._lock:
            self._open_batches += 1
        try:
            yield
        finally:
            with self._lock:
                self._open_batches -= 1
            self._write()

    def _write(self) -> None:
        """Writes the counts, unless a batch is open."""
        with self._lock:
            if self._open_batches or not self._counted or self._connect is None:
                return
            counted, self._counted = self._counted, Counter()
        try:
            with mapped("cloudwatch", "PutMetricData"):
                with self._lock:
                    self._client = self._client or self._connect()
                self._client.put_metric_data(**metric_data(dict(counted), self._machine_name))
        except BackendError as error:
            shown = " and ".join(f"{metric} {count}" for metric, count in sorted(counted.items()))
            warnings.warn(
                f"the metrics {shown} could not be written: {error}; the jobs themselves are stored",
                ScheduleWarning,
                stacklevel=2,
            )
