"""AWS Batch as a part for tests: that of moto, a server on loopback, with processes for containers."""

from __future__ import annotations

import http.client
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, final

import pytest

from tests.gate import MOTO_BATCH
from tests.parts.environments import PartMissingError, python_of
from tests.parts.server_part import ServerPart, search_path

PYTHON = python_of("moto-batch")
SERVER = Path(__file__).with_name("batch_server.py")
SPOT = "Host EC2 (instance i-0123456789abcdef0) terminated."
"""What AWS Batch says of a job whose instance is gone."""
EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
NOT_TRIED = "Dependent Job failed"


class Attempt(NamedTuple):
    """A time that a job was tried."""

    exit_code: int | None
    reason: str
    ran: bool
    """Whether its command was started."""


class Run(NamedTuple):
    """A job that was submitted."""

    id: str
    name: str
    status: str
    exit_code: int | None
    reason: str | None
    depends_on: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    """Those that have ended, in order."""


class Call(NamedTuple):
    """A call of the API as it came in."""

    operation: str
    given: Mapping[str, Any]
    refused: bool
    """Whether `Batch.refuse` had it answered with an error."""


class Place(NamedTuple):
    """Where jobs of an account can be submitted."""

    queue: str
    """Its ARN."""
    definition: str
    """The ARN of a definition whose command is ``true``."""


@final
class Batch(ServerPart):
    """A running server. Entering starts it, leaving stops it and all processes of its jobs.

    The command of a job runs as a subprocess with the rights of the user, so only commands of our own may
    go in. It has the variables of its job, those that AWS Batch gives it, and ``PATH``, and nothing else.
    A variable ``STEPSCHED_TEST_REASON`` fails a job as the platform would: with this ``statusReason``, no
    exit code and no start (``STEPSCHED_TEST_CONTAINER_REASON``: the ``reason`` of its container).

    As on AWS: statuses, dependencies (20 at most), retry strategies with ``evaluateOnExit``, timeouts (of
    60 s at least, see `scale_timeouts`), array jobs, also with ``N_TO_N``, reasons and exit codes,
    TerminateJob and CancelJob, the filters and pages of ListJobs (only ``RUNNING`` jobs if nothing else is
    asked for), 100 ids for DescribeJobs, whose answer has no order, logs in ``/aws/batch/job``.

    Not as on AWS: there is room for all jobs at once, one that is tried again stays ``RUNNING``, what it
    writes is in the log when it has ended, a dependency without an id is refused.

    Raises `PartMissingError` if its environment is missing.
    """

    prefix = "batch-"

    def __init__(self) -> None:
        if not PYTHON.exists():
            raise PartMissingError("moto-batch", " ".join(MOTO_BATCH))
        super().__init__()

    def make_place(self, account: str, name: str = "jobs", **more: Any) -> Place:
        """Makes a queue and a definition of this name; ``more`` is for RegisterJobDefinition."""
        with closing(self.client("iam", account)) as iam, closing(self.client("batch", account)) as batch:
            role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            batch.create_compute_environment(
                computeEnvironmentName=f"{name}-computers",
                type="UNMANAGED",
                state="ENABLED",
                serviceRole=role,
            )
            queue = batch.create_job_queue(
                jobQueueName=name,
                state="ENABLED",
                priority=1,
                computeEnvironmentOrder=[{"order": 1, "computeEnvironment": f"{name}-computers"}],
            )
            container = {"image": "local", "vcpus": 1, "memory": 64, "command": ["true"]}
            definition = batch.register_job_definition(
                jobDefinitionName=name, type="container", **{"containerProperties": container, **more}
            )
        return Place(queue["jobQueueArn"], definition["jobDefinitionArn"])

    def runs_of(self, account: str) -> list[Run]:
        """All jobs of the account in the order of their submission, those of an array after it."""
        return [_run(job) for job in self._ask("jobs", account=account)["jobs"]]

    def submitted(self, account: str) -> Counter[str]:
        """How many times a job of each name was submitted."""
        return Counter(run.name for run in self.runs_of(account))

    def ran(self, account: str) -> Counter[str]:
        """How many times the command of each job was started, by the job's name; of what has ended."""
        runs = self.runs_of(account)
        return Counter(run.name for run in runs for attempt in run.attempts if attempt.ran)

    def calls_of(self, account: str, operation: str | None = None) -> list[Call]:
        """The calls of an operation; None: SubmitJob, DescribeJobs, ListJobs, TerminateJob and CancelJob."""
        calls = [Call(**call) for call in self._ask("calls", account=account)["calls"]]
        return [call for call in calls if operation in (None, call.operation)]

    def settle(self, account: str) -> None:
        """Returns when all jobs of the account have ended.

        Raises:
            PartFailedError: Some have not after `PATIENCE`.
        """
        self._ask("settle", account=account)

    def take_away(
        self, account: str, name: str, reason: str = SPOT, *, detail: str | None = None, times: int = 1
    ) -> None:
        """The next attempts of jobs of this name fail before they start, as the platform fails them."""
        self._ask("take_away", account=account, name=name, reason=reason, detail=detail, times=times)

    def lose(self, account: str, job_id: str, reason: str = SPOT) -> None:
        """Takes away the process of a job that runs, as the platform does: its attempt has no exit code."""
        self._ask("lose", account=account, id=job_id, reason=reason)

    def refuse(
        self,
        account: str,
        operation: str,
        code: str = "ServerException",
        *,
        times: int = 1,
        done: bool = False,
    ) -> None:
        """The next calls of an operation fail.

        Args:
            account: Whose calls.
            operation: Like ``SubmitJob``.
            code: Of the error, ``ClientException``, ``ServerException`` or ``TooManyRequestsException``.
            times: How many calls.
            done: Whether what they ask for is done all the same, and only the answer lost.
        """
        self._ask("refuse", account=account, operation=operation, code=code, times=times, done=done)

    def scale_timeouts(self, factor: float) -> None:
        """Makes the timeouts of attempts that start from now on this part of their time, for all accounts."""
        self._ask("scale", factor=factor)

    def forget(self, account: str, *ids: str) -> None:
        """Jobs that have ended are no longer known, as on AWS some time after their end."""
        self._ask("forget", account=account, ids=ids)

    def _command(self) -> list[str]:
        return [str(PYTHON), "-I", str(SERVER), str(self._port)]

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": search_path(),
            **dict.fromkeys(("HOME", "TMPDIR"), folder),
            "TZ": "UTC",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "PYTHONUNBUFFERED": "1",
        }

    def _answers(self) -> bool:
        return self._status_of("/moto-api/data.json") == http.HTTPStatus.OK


def when(path: Path, then: str = "true") -> list[str]:
    """A command that ends as ``then`` does, but not before there is a file of this path."""
    return shell(f"until test -e {shlex.quote(str(path))}; do sleep 0.02; done; {then}")


def shell(text: str) -> list[str]:
    """A command that runs this text."""
    return ["sh", "-c", text]


def overrides(command: Sequence[str], **environment: str) -> dict[str, Any]:
    """The ``containerOverrides`` of a submission."""
    return {
        "command": list(command),
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
    }


@contextmanager
def running() -> Iterator[Batch]:
    """A server for a fixture: skips the tests if its environment is missing, and says how to make it."""
    try:
        server = Batch()
    except PartMissingError as missing:
        pytest.skip(str(missing))
    with server:
        yield server


def _run(job: dict[str, Any]) -> Run:
    attempts = tuple(
        Attempt(tried["container"].get("exitCode"), tried["statusReason"], "startedAt" in tried)
        for tried in job["attempts"]
    )
    return Run(
        id=job["jobId"],
        name=job["jobName"],
        status=job["status"],
        exit_code=job["container"].get("exitCode"),
        reason=job.get("statusReason"),
        depends_on=tuple(each["jobId"] for each in job["dependsOn"]),
        attempts=attempts,
    )
