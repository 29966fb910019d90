"""The counts of new and cancelled jobs: batches, and calls that fail."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import stepsched as ss
from stepsched.backends.stepfunctions.counts import JobCounts


class CloudWatch:
    """Records what is written; ``errors`` are raised first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.written: list[dict[str, float]] = []
        self.dimensions: set[str] = set()
        self.closed = 0

    def put_metric_data(self, **request: Any) -> None:
        assert request.keys() == {"Namespace", "MetricData"}
        assert request["Namespace"] == "stepsched"
        if self.errors:
            raise self.errors.pop()
        self.written.append({each["MetricName"]: each["Value"] for each in request["MetricData"]})
        self.dimensions |= {each["Dimensions"][0]["Value"] for each in request["MetricData"]}

    def close(self) -> None:
        self.closed += 1


def test_a_count_is_written_at_once_and_a_batch_at_its_end() -> None:
    service = CloudWatch()
    counts = JobCounts(lambda: service, "jobs")
    counts.add("JobsCreated")
    assert service.written == [{"JobsCreated": 1}]
    with counts.batch():
        threads = [threading.Thread(target=counts.add, args=("JobsDeleted",)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with counts.batch():
            counts.add("JobsCreated")
        assert len(service.written) == 1
    assert service.written[1:] == [{"JobsDeleted": 20, "JobsCreated": 1}]
    with counts.batch():
        pass
    assert len(service.written) == 2
    assert service.dimensions == {"jobs"}


def test_a_batch_that_ends_with_an_error_is_written_too() -> None:
    service = CloudWatch()
    counts = JobCounts(lambda: service, "jobs")

    def fail() -> None:
        with counts.batch():
            counts.add("JobsCreated")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert service.written == [{"JobsCreated": 1}]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutMetricData"),
        EndpointConnectionError(endpoint_url="https://monitoring"),
    ],
)
def test_a_count_that_fails_is_a_warning_and_the_next_one_is_written(error: Exception) -> None:
    service = CloudWatch(error)
    counts = JobCounts(lambda: service, "jobs")
    with pytest.warns(ss.ScheduleWarning, match="the metrics JobsCreated 1 could not be written: .*stored"):
        counts.add("JobsCreated")
    counts.add("JobsDeleted")
    assert service.written == [{"JobsDeleted": 1}]


def test_nothing_is_counted_and_no_connection_made_without_metrics() -> None:
    counts = JobCounts(None, "jobs")
    counts.add("JobsCreated")
    with counts.batch():
        counts.add("JobsDeleted")
    counts.close()


def test_the_connection_is_made_once_and_closed() -> None:
    made: list[CloudWatch] = []

    def connect() -> CloudWatch:
        made.append(CloudWatch())
        return made[-1]

    counts = JobCounts(connect, "jobs")
    assert made == []
    counts.add("JobsCreated")
    counts.add("JobsCreated")
    counts.close()
    counts.close()
    (service,) = made
    assert service.closed == 1
    with pytest.warns(ss.ScheduleWarning, match="the backend has been closed"):
        counts.add("JobsCreated")
