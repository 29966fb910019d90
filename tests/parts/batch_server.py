"""Runs inside moto's own environment: starts its full AWS Batch as a server, with processes for containers.

The emulator keeps queues, definitions and jobs, and walks jobs through their statuses. What it does not do is
done here, where AWS says how: exit codes and reasons, the retry strategy and the timeout of attempts, array
jobs that end with their children, the filters and the order of lists, and what a submission may not say.
Commands come in as lines on the standard input; their answers go out on the standard output.

An access key of twelve digits is the account. Needs the standard library and the pinned emulator only. What
it replaces are private names of some modules of that version; if one of them is gone, it does not start.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib
import json
import logging
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

HOST = "127.0.0.1"
ENDED = ("SUCCEEDED", "FAILED")
EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
NOT_TRIED = "Dependent Job failed"
TEST_REASON = "STEPSCHED_TEST_REASON"
"""Variable of a container: its attempts fail for this reason, as if the platform had taken them away."""
TEST_DETAIL = "STEPSCHED_TEST_CONTAINER_REASON"
"""Beside it, what the container's own ``reason`` says."""
KILLED = 128 + signal.SIGKILL
FEWEST_SECONDS = 60
"""What AWS Batch takes for the timeout of an attempt at least."""
DEPENDENCIES = 20
"""What AWS Batch takes for the dependencies of a job at most."""
IDS = 100
"""What DescribeJobs and a page of ListJobs take at most."""
OPERATIONS = {
    "submitjob": "SubmitJob",
    "describejobs": "DescribeJobs",
    "listjobs": "ListJobs",
    "terminatejob": "TerminateJob",
    "canceljob": "CancelJob",
}
STATUSES = {"ClientException": 400, "TooManyRequestsException": 429, "ServerException": 500}


class Attempt(NamedTuple):
    """How an attempt has ended; ``started`` is None if nothing was started."""

    started: int | None
    stopped: int
    exit_code: int | None
    reason: str
    detail: str | None = None
    final: bool = False
    """Whether no other may follow, whatever the retry strategy says."""

    def described(self, stream: str) -> dict[str, Any]:
        container = {"exitCode": self.exit_code, "reason": self.detail, "logStreamName": stream}
        told = {name: value for name, value in container.items() if value is not None}
        started = {} if self.started is None else {"startedAt": self.started}
        return {"container": told, **started, "stoppedAt": self.stopped, "statusReason": self.reason}


class Extra:
    """What is known of a job beside what the emulator knows."""

    def __init__(self, strategy: dict[str, Any] | None) -> None:
        self.strategy = strategy
        self.process: subprocess.Popen[bytes] | None = None
        self.last: Attempt | None = None
        self.news = threading.Event()
        """Set when the job is stopped, or one that it waits for has ended."""
        self.parent: Any = None
        self.lost: str | None = None
        """Why the platform has taken the process away."""


class State:
    """All that the commands set and ask; its lock is held for every change of a job."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.calls = defaultdict[str, list[dict[str, Any]]](list)
        self.refusals = list[dict[str, Any]]()
        self.taken = list[dict[str, Any]]()
        self.scale = 1.0
        self.processes = set[subprocess.Popen[bytes]]()
        self.waiting = set[Any]()
        self.strategy = threading.local()

    def next_of(self, rules: list[dict[str, Any]], **wanted: str) -> dict[str, Any] | None:
        """The first rule for this, which counts as used; None if there is none."""
        with self.changed:
            for rule in rules:
                if rule["times"] and all(rule[name] == value for name, value in wanted.items()):
                    rule["times"] -= 1
                    return rule
        return None

    def kill_all(self) -> None:
        with self.changed:
            for process in self.processes:
                kill(process)


STATE = State()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a container's process and those that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


def account_of(job: Any) -> str:
    return str(job.backend.account_id)


class Container:
    """What the emulator sees of a job's container: it has ended already."""

    status = "exited"
    attrs: dict[str, Any] = {"NetworkSettings": {"Networks": {}, "IPAddress": HOST}}  # noqa: RUF012

    def __init__(self, code: int, output: Path) -> None:
        self._code, self._output = code, output

    def reload(self) -> None: ...

    def kill(self) -> None: ...

    def remove(self) -> None: ...

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self._code}

    def logs(self, *, stdout: bool, **_: object) -> bytes:
        """The lines of both outputs, all with the time of their reading."""
        if not stdout or not self._output.exists():
            return b""
        now = datetime.fromtimestamp(milliseconds() / 1_000, timezone.utc)
        lines = self._output.read_text(errors="replace").splitlines()
        return "\n".join(f"{now:%Y-%m-%dT%H:%M:%S.%f}000Z {line}" for line in lines).encode()


class Containers:
    """Runs the attempts of a job in the thread of the job, one after the other."""

    def __init__(self, job: Any) -> None:
        self._job, self._extra = job, job.extra
        self._output = Path(f"{job.job_id.replace(':', '-')}.out").resolve()

    @property
    def containers(self) -> Containers:
        return self

    def run(self, command: list[str] | str, environment: dict[str, str], **_: object) -> Container:
        attempts, number = self._strategy().get("attempts", 1), 0
        while True:
            number += 1
            last = self._attempt(command, environment | self._own(number))
            self._extra.last = last
            if last.started is not None or not last.final:
                self._job.attempts.append(last.described(self._job._stream_name))
            if last.exit_code == 0 or last.final or number >= attempts or not self._again(last):
                break
        return Container(1 if last.exit_code is None else last.exit_code, self._output)

    def _strategy(self) -> dict[str, Any]:
        return self._extra.strategy or self._job.job_definition.retry_strategy or {}

    def _own(self, number: int) -> dict[str, str]:
        """The variables that AWS Batch itself gives to a container."""
        index = self._job.array_properties.get("index")
        return {
            "PATH": os.environ["PATH"],
            "AWS_BATCH_JOB_ID": self._job.job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": self._job.job_queue.name,
            **({} if index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}),
        }

    def _attempt(self, command: list[str] | str, environment: dict[str, str]) -> Attempt:
        given = environment.get(TEST_REASON)
        rule = STATE.next_of(STATE.taken, account=account_of(self._job), name=self._job.job_name)
        if rule is not None:
            return Attempt(None, milliseconds(), None, rule["reason"], rule["detail"])
        if given is not None:
            return Attempt(None, milliseconds(), None, given, environment.get(TEST_DETAIL))
        try:
            process = self._spawn(command, environment)
        except OSError as error:  # no such program
            return Attempt(
                None, milliseconds(), 127, "Task failed to start", f"CannotStartContainerError: {error}"
            )
        if process is None:
            return Attempt(None, milliseconds(), None, self._job.job_stopped_reason, final=True)
        return self._watch(process, milliseconds())

    def _spawn(self, command: list[str] | str, environment: dict[str, str]) -> subprocess.Popen[bytes] | None:
        """None if the job has been stopped meanwhile."""
        words = shlex.split(command) if isinstance(command, str) else command
        with STATE.changed, self._output.open("ab") as output:
            if self._job.stop:
                return None
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._extra.process = process
            STATE.processes.add(process)
            return process

    def _watch(self, process: subprocess.Popen[bytes], started: int) -> Attempt:
        seconds = (self._job.timeout or self._job.job_definition.timeout or {}).get("attemptDurationSeconds")
        late = False
        try:
            code = process.wait(None if seconds is None else seconds * STATE.scale)
        except subprocess.TimeoutExpired:
            late = True
            kill(process)
            code = process.wait()
        with STATE.changed:
            STATE.processes.discard(process)
            self._extra.process = None
            lost, self._extra.lost = self._extra.lost, None
            if lost is not None:
                return Attempt(started, milliseconds(), None, lost)
            if self._job.stop:
                return Attempt(started, milliseconds(), KILLED, self._job.job_stopped_reason, final=True)
        if late:
            return Attempt(started, milliseconds(), KILLED, TIMED_OUT, final=True)
        return Attempt(started, milliseconds(), code if code >= 0 else 128 - code, EXITED)

    def _again(self, last: Attempt) -> bool:
        """Whether the strategy tries an attempt that has failed again, if any are left."""
        code = "" if last.exit_code is None else str(last.exit_code)
        told = {"onExitCode": code, "onReason": last.detail or "", "onStatusReason": last.reason}
        for rule in self._strategy().get("evaluateOnExit") or ():
            if all(fnmatch.fnmatchcase(told[name], rule[name]) for name in told if name in rule):
                return str(rule["action"]).lower() == "retry"
        return True


def begin(emulated: Callable[..., None], job: Any, *arguments: Any, **options: Any) -> None:
    job.extra = Extra(getattr(STATE.strategy, "given", None))
    emulated(job, *arguments, **options)


def wait_for_dependencies(job: Any) -> bool:
    """Returns whether all have succeeded; when it does not, the job has failed."""
    index = job.array_properties.get("index")
    ids = [
        f"{each['jobId']}:{index}" if each.get("type") == "N_TO_N" and index is not None else each["jobId"]
        for each in job.depends_on
    ]
    while True:
        with STATE.changed:
            STATE.waiting.add(job)
            job.extra.news.clear()
            statuses = {status_of(job.all_jobs[each]) for each in ids if each in job.all_jobs}
            is_over = job.stop or "FAILED" in statuses
            if is_over and not job.stop:
                job.job_stopped_reason = NOT_TRIED
            if is_over or statuses <= {"SUCCEEDED"}:
                STATE.waiting.discard(job)
                break
        job.extra.news.wait()
    if is_over:
        job._mark_stopped(success=False)
    return not is_over


def status_of(job: Any) -> str:
    """The status, without the step that the emulator takes when it is asked."""
    return str(getattr(job._status, "value", job._status))


def mark_stopped(emulated: Callable[..., None], job: Any, success: bool = True) -> None:
    with STATE.changed:
        if job.job_stopped:
            return
        last = job.extra.last
        if last is not None:
            job.exit_code = last.exit_code
            job.job_stopped_reason = job.job_stopped_reason or last.reason
        emulated(job, success)
        parent = job.extra.parent
        if parent is not None and all(child.job_stopped for child in parent._child_jobs):
            parent._mark_stopped(all(status_of(child) == "SUCCEEDED" for child in parent._child_jobs))
        for waiting in STATE.waiting:
            waiting.extra.news.set()
        STATE.changed.notify_all()


def terminate(job: Any, reason: str) -> None:
    """Stops a job that has not ended: its process is killed, and it fails for this reason."""
    with STATE.changed:
        if job.job_stopped or job.stop:
            return
        job.stop, job.job_stopped_reason = True, reason
        for child in job._child_jobs or ():
            child.terminate(reason)
        job.extra.news.set()
        if job.extra.process is not None:
            kill(job.extra.process)


def who_ended(job: Any) -> dict[str, bool]:
    """Whether an operator ended the job: it was cancelled before it was started, or terminated."""
    last = job.extra.last
    started = job.extra.process is not None or (last is not None and last.started is not None)
    return {"isCancelled": job.stop and not started, "isTerminated": job.stop and started}


def describe_short(emulated: Callable[..., dict[str, Any]], job: Any) -> dict[str, Any]:
    """A job that has never been started says no start."""
    told = emulated(job)
    last = job.extra.last
    if job.job_stopped and (last is None or last.started is None):
        told.pop("startedAt", None)
    index = job.array_properties.get("index")
    if index is not None:
        told["arrayProperties"] = {"index": index}
    return told


def container_details(emulated: Callable[..., dict[str, Any]], job: Any) -> dict[str, Any]:
    told = emulated(job)
    last = job.extra.last
    more = {} if last is None else {"exitCode": last.exit_code, "reason": last.detail}
    return told | {name: value for name, value in more.items() if value is not None}


def container_property(emulated: Callable[..., Any], job: Any, name: str, default: Any) -> Any:
    """The emulator would add its own variables to what was submitted, once more each time it is asked."""
    if name != "environment":
        return emulated(job, name, default)
    given = [*job.job_definition.container_properties.get(name, []), *job.container_overrides.get(name, [])]
    values = {each["name"]: each["value"] for each in given}
    return [{"name": key, "value": value} for key, value in values.items()]


def list_jobs(backend: Any, **asked: Any) -> list[Any]:
    """The jobs of a queue or of an array, the latest first, by one filter or a status."""
    filters = asked["filters"] or []
    jobs = EMULATED["list_jobs"](
        backend, asked["job_queue_name"], asked["array_job_id"], None, None if not filters else [{"name": ""}]
    )
    if len(filters) > 1:
        raise error("ClientException", "Only one filter can be used at a time")
    if asked["job_queue_name"]:
        jobs = [job for job in jobs if job.extra.parent is None]
    if filters:
        chosen = [job for job in jobs if matches(job, filters[0]["name"], filters[0]["values"])]
    else:
        status = asked["job_status"] or "RUNNING"
        if status not in EMULATED["JobStatus"].job_statuses():
            raise error("ClientException", f"Invalid job status {status}")
        chosen = [job for job in jobs if status_of(job) == status]
    return chosen[::-1]


def matches(job: Any, name: str, values: list[str]) -> bool:
    """Whether a job passes a filter, as the page of ListJobs says it."""
    created = int(job.job_created_at.timestamp() * 1_000)  # as it is told
    if name == "JOB_NAME":
        return any(like(job.job_name.lower(), value.lower()) for value in values)
    if name == "JOB_DEFINITION":
        definition = job.job_definition
        known = (definition.arn, f"{definition.name}:{definition.revision}", definition.name)
        return any(like(each, value) for each in known for value in values)
    if name == "BEFORE_CREATED_AT":
        return created < float(values[0])
    if name == "AFTER_CREATED_AT":
        return created > float(values[0])
    raise error("ClientException", f"Invalid filter {name}")


def like(text: str, pattern: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def error(code: str, message: str) -> Exception:
    base = EMULATED["AWSError"]
    made: Exception = base(message, code, STATUSES.get(code, 400))
    return made


def submit(emulated: Callable[[Any], Any], response: Any) -> Any:
    """Refuses what AWS Batch refuses, and keeps the retry strategy for the job."""
    depends = response._get_param("dependsOn") or []
    strategy = response._get_param("retryStrategy")
    timeout = response._get_param("timeout") or {}
    jobs = response.batch_backend._jobs
    if len(depends) > DEPENDENCIES:
        raise error("ClientException", f"Job dependencies exceed the limit of {DEPENDENCIES}")
    for each in depends:
        if each.get("jobId") not in jobs:
            raise error("ClientException", f"Job dependency {each.get('jobId')!r} does not exist")
    if timeout.get("attemptDurationSeconds", FEWEST_SECONDS) < FEWEST_SECONDS:
        raise error("ClientException", f"The timeout of an attempt must be at least {FEWEST_SECONDS} seconds")
    if strategy and not 1 <= strategy.get("attempts", 1) <= 10:
        raise error("ClientException", "The retry strategy must have 1 to 10 attempts")
    STATE.strategy.given = strategy
    try:
        return emulated(response)
    finally:
        STATE.strategy.given = None


def submit_job(emulated: Callable[..., Any], backend: Any, *arguments: Any, **options: Any) -> Any:
    """Tells the children of an array whose they are before any of them can end."""
    with STATE.changed:
        answer = emulated(backend, *arguments, **options)
        job = backend._jobs[answer[1]]
        for child in job._child_jobs or ():
            child.extra.parent = job
    return answer


def describe(_: Callable[[Any], Any], response: Any) -> str:
    ids = response._get_param("jobs") or []
    if len(ids) > IDS:
        raise error("ClientException", f"The number of jobs exceeds {IDS}")
    jobs = response.batch_backend._jobs
    found = [{**jobs[each].describe(), **who_ended(jobs[each])} for each in sorted(set(ids)) if each in jobs]
    return json.dumps({"jobs": found})  # in an order that is nobody's


def list_pages(emulated: Callable[[Any], str], response: Any) -> str:
    size = min(response._get_param("maxResults") or IDS, IDS)
    start = int(response._get_param("nextToken") or 0)
    found = json.loads(emulated(response))["jobSummaryList"]
    more = {"nextToken": str(start + size)} if len(found) > start + size else {}
    return json.dumps({"jobSummaryList": found[start : start + size], **more})


def counted(operation: str, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A call that is noted, and refused, or left without its answer, where a command says so."""

    @functools.wraps(method)
    def call(response: Any) -> Any:
        account = response.current_account
        rule = STATE.next_of(STATE.refusals, account=account, operation=operation)
        given = json.loads(response.body or "{}")
        STATE.calls[account].append({"operation": operation, "given": given, "refused": rule is not None})
        if rule is None or rule["done"]:
            answer = method(response)
            if rule is None:
                return answer
        raise error(rule["code"], f"as the test has it: {rule['code']}")

    return call


def current_account(response: Any) -> str:
    found = re.search(r"Credential=(\d{12})/", response.headers.get("Authorization", ""))
    return found[1] if found else "123456789012"


class Commands:
    """Answers the lines on the standard input, one by one, on what was the standard output.

    Whoever started this holds the other end of its input, so that it never outlives them.
    """

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._input = os.fdopen(os.dup(0), encoding="utf-8")
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # so that nothing else prints answers

    def start(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._answer, daemon=True).start()

    def _read(self) -> None:
        for line in self._input:
            self._lines.put(line)
        STATE.kill_all()
        os._exit(0)

    def _answer(self) -> None:
        while True:
            asked = json.loads(self._lines.get())
            try:
                answer = getattr(self, f"do_{asked['do']}")(asked) or {}
            except TimeoutError as late:
                answer = {"error": str(late)}
            self._output.write(json.dumps({"number": asked["number"], **answer}) + "\n")
            self._output.flush()

    def do_jobs(self, asked: dict[str, Any]) -> dict[str, Any]:
        with STATE.changed:
            return {"jobs": [job.describe() for job in jobs_of(asked["account"])]}

    def do_calls(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"calls": list(STATE.calls[asked["account"]])}

    def do_settle(self, asked: dict[str, Any]) -> None:
        """Returns when all jobs of the account have ended."""
        account = asked["account"]
        with STATE.changed:
            if not STATE.changed.wait_for(lambda: not list(running(account)), asked["patience"]):
                names = ", ".join(f"{job.job_name} {status_of(job)}" for job in running(account))
                raise TimeoutError(f"still there after {asked['patience']} s: {names}")

    def do_take_away(self, asked: dict[str, Any]) -> None:
        STATE.taken.append(asked)

    def do_refuse(self, asked: dict[str, Any]) -> None:
        STATE.refusals.append(asked)

    def do_scale(self, asked: dict[str, Any]) -> None:
        STATE.scale = asked["factor"]

    def do_lose(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The platform takes away what runs."""
        with STATE.changed:
            for job in jobs_of(asked["account"]):
                if job.job_id == asked["id"] and job.extra.process is not None:
                    job.extra.lost = asked["reason"]
                    kill(job.extra.process)
                    return None
        return {"error": f"job {asked['id']} does not run"}

    def do_forget(self, asked: dict[str, Any]) -> None:
        """Jobs are no longer known, as some time after their end."""
        with STATE.changed:
            for job in jobs_of(asked["account"]):
                if job.job_id in asked["ids"]:
                    del job.backend._jobs[job.job_id]
                    job.job_queue.jobs.remove(job)


def jobs_of(account: str) -> list[Any]:
    """In the order of their submission; children of an array after it."""
    backends = EMULATED["backends"]
    regions = list(backends[account].values()) if account in backends else []
    return [job for backend in regions for job in list(backend._jobs.values())]


def running(account: str) -> Iterator[Any]:
    return (job for job in jobs_of(account) if not job.job_stopped)


EMULATED: dict[str, Any] = {}
"""What the emulator had before it was replaced, and what else of it is used."""


def replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    """Puts a function that is given the former one in the place of it."""
    former = getattr(owner, name, None)
    if former is None:
        sys.exit(f"the emulator's {owner.__name__} has no {name}: is it the pinned version?")

    @functools.wraps(former)
    def call(*arguments: Any, **options: Any) -> Any:
        return function(former, *arguments, **options)

    setattr(owner, name, call)


def install() -> None:
    """Puts what is above into the places of the emulator."""
    models = importlib.import_module("moto.batch.models")
    response = importlib.import_module("moto.batch.responses").BatchResponse
    job, backend = models.Job, models.BatchBackend
    EMULATED.update(
        AWSError=importlib.import_module("moto.core.exceptions").AWSError,
        JobStatus=models.JobStatus,
        backends=models.batch_backends,
        list_jobs=backend.list_jobs,
    )
    replace(job, "__init__", begin)
    replace(job, "_mark_stopped", mark_stopped)
    replace(job, "_wait_for_dependencies", lambda _, self: wait_for_dependencies(self))
    replace(job, "terminate", lambda _, self, reason: terminate(self, reason))
    replace(job, "describe_short", describe_short)
    replace(job, "_container_details", container_details)
    replace(job, "_get_container_property", container_property)
    replace(job, "_get_attempt_duration", lambda *_: None)  # each attempt has its own
    replace(job, "_start_attempt", lambda *_: None)  # and is noted when it ends
    replace(backend, "list_jobs", lambda _, self, **asked: list_jobs(self, **asked))
    replace(backend, "submit_job", submit_job)
    replace(response, "submitjob", submit)
    replace(response, "describejobs", describe)
    replace(response, "listjobs", list_pages)
    for name, operation in OPERATIONS.items():
        setattr(response, name, counted(operation, getattr(response, name)))
    every = importlib.import_module("moto.core.responses").BaseResponse
    replace(every, "get_current_account", lambda _, self: current_account(self))
    job.docker_client = property(Containers)
    vars(models)["sleep"] = lambda _: time.sleep(0.001)  # noqa: TID251 -- it waits for no more than a status


def main() -> None:
    port = sys.argv[1]
    Commands().start()
    install()
    importlib.import_module("moto.core.config").default_user_config["batch"] = {"use_docker": True}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("moto.batch.models").setLevel(logging.CRITICAL)  # it tells of every job that fails
    try:
        importlib.import_module("moto.server").main(["-H", HOST, "-p", port])
    finally:
        STATE.kill_all()


if __name__ == "__main__":
    main()
