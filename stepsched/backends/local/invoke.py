"""Calls what a target names, inside this process."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import timedelta
from tempfile import TemporaryFile
from typing import get_args

from stepsched.backends.local.outcomes import OUTPUT_LIMIT, storable, too_long
from stepsched.backends.local.parameters import call_of
from stepsched.backends.local.parts import Parts
from stepsched.clock import Clock, PlayableClock
from stepsched.context import (
    ATTEMPT_NUMBER,
    EXECUTION_ID,
    SCHEDULE_ARN,
    SCHEDULED_TIME,
    ContextText,
    fill,
)
from stepsched.errors import UnsupportedError
from stepsched.jobs import Job, Run
from stepsched.payloads import to_json
from stepsched.targets import (
    ApiTarget,
    AwsTarget,
    BatchTarget,
    CommandTarget,
    HandlerTarget,
    ParallelTarget,
    SingleTarget,
    parts_of,
)
from stepsched.targets.local import main_module_name

Handler = Callable[..., object]
Wrapper = Callable[[Job, Run, Callable[[], "str | None"]], "str | None"]
"""Called with the job, the run and what makes the call; answers what that answers."""
Handlers = Mapping[type[AwsTarget] | AwsTarget, Handler]


class Invoker:
    """Finds and calls the function, command or registered handler of a job."""

    def __init__(self, handlers: Handlers, *, clock: Clock | None = None) -> None:
        """An invoker.

        Args:
            handlers: What stands for AWS targets.
            clock: Whose time it is. None: the machine's. On one that is played, nothing runs side by side.
        """
        self._parts = Parts(clock if isinstance(clock, PlayableClock) else None)
        self._around: Wrapper = lambda _job, _run, call: call()
        self._handlers: list[tuple[type[AwsTarget] | AwsTarget, Handler]] = list(handlers.items())
        for target, handler in self._handlers:
            check_register(target, handler)

    def register(self, target: type[AwsTarget] | AwsTarget, handler: Handler) -> None:
        """From now on ``handler`` stands for the target, or for every target of the class."""
        check_register(target, handler)
        self._handlers.append((target, handler))

    def check(self, job: Job, *, shared: bool) -> None:
        """Refuses a job that could not be called.

        Args:
            job: The job.
            shared: Whether another process may have to run it, so that names must be enough.

        Raises:
            UnsupportedError: With the reason and what would work.
        """
        for part in parts_of(job.target):
            self._check_part(job, part, shared=shared)
        for letter_box in (job.dead_letter, job.notify):
            if letter_box is not None:
                self._check_registered(job, letter_box)

    def _check_part(self, job: Job, part: SingleTarget, *, shared: bool) -> None:
        match part:
            case HandlerTarget() as target:
                if shared and (target.function is not None or target.handler.startswith("__main__:")):
                    reason = f"{target.handler} has no importable name, so a stored job would lose it"
                    mend = ("define the function at the top of a module", "LocalBackend() in memory")
                    raise UnsupportedError(job.name, "local", reason, mend)
                function = self._import(job, target)
                if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
                    reason = f"{target.handler} is a generator function: calling it runs nothing"
                    raise UnsupportedError(job.name, "local", reason)
                if call_of(function, 2) is None:
                    reason = f"{target.handler} takes other arguments than (), (input) or (input, run)"
                    raise UnsupportedError(job.name, "local", reason)
            case CommandTarget():
                pass
            case target:
                self._check_registered(job, target)

    def _check_registered(self, job: Job, target: AwsTarget) -> None:
        if self._registered(target) is None:
            name = type(target).__name__
            reason = f"no handler stands for its {name} in this process"
            mend = (f"backend.register({name}, function)", "EventBridgeBackend invokes it in AWS")
            raise UnsupportedError(job.name, "local", reason, mend)

    def wrap(self, wrapper: Wrapper) -> None:
        """Puts a function around every call from now on, inside those that are there already."""
        inner = self._around
        self._around = lambda job, run, call: inner(job, run, lambda: wrapper(job, run, call))

    def call(self, job: Job, run: Run) -> str | None:
        """Runs the target to its end; whatever it raises goes to the caller.

        Returns:
            The answer as bounded text; None when there was none.
        """
        return self._around(job, run, lambda: self._call(job, run))

    def forget(self, run: Run) -> None:
        """No attempt of the run follows: which of its parts have succeeded no longer matters."""
        self._parts.forget(run)

    def _call(self, job: Job, run: Run) -> str | None:
        target, limit = job.target, job.max_run_time
        if not isinstance(target, ParallelTarget):
            return self._call_part(job, run, target)
        return self._parts.call(target, run, limit, lambda part: self._call_part(job, run, part))

    def _call_part(self, job: Job, run: Run, part: SingleTarget) -> str | None:
        attributes = _attributes(job, run)
        payload = fill(deepcopy(job.input), attributes)
        match part:
            case HandlerTarget() as target:
                return _answer(job.max_run_time, self._import(job, target), payload, run)
            case CommandTarget(command=command):
                return _command(list(command), to_json(payload), job.max_run_time)
            case target:
                handler = self._registered(target)
                if handler is None:
                    raise LookupError(f"no handler stands for {target!r} in this process")
                return _answer(job.max_run_time, handler, _filled(target, attributes), payload, run)

    def _import(self, job: Job, target: HandlerTarget) -> Handler:
        if target.function is not None:
            return target.function
        module, _, path = target.handler.partition(":")
        if module == main_module_name():  # the program itself, which must not be imported a second time
            module = "__main__"
        try:
            found: object = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            reason = f"{target.handler} cannot be imported: {type(error).__name__}: {error}"
            raise UnsupportedError(job.name, "local", reason, ("put it on the import path",)) from error
        if not callable(found):
            raise UnsupportedError(job.name, "local", f"{target.handler} is not callable")
        return found

    def _registered(self, target: AwsTarget) -> Handler | None:
        """The handler of exactly this target, else of its class; the latest registration wins."""
        for wanted in (target, type(target)):
            for known, handler in reversed(self._handlers):
                if known == wanted:
                    return handler
        return None


def _attributes(job: Job, run: Run) -> dict[ContextText, str]:
    """What stands for the context attributes of EventBridge Scheduler in this process."""
    return {
        SCHEDULE_ARN: f"arn:aws:scheduler:local:000000000000:schedule/{job.group}/{job.name}",
        SCHEDULED_TIME: f"{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}",
        EXECUTION_ID: f"{run.id}-{run.attempt}",
        ATTEMPT_NUMBER: str(run.attempt),
    }


def _filled(target: AwsTarget, attributes: Mapping[ContextText, str]) -> AwsTarget:
    """The target with the attributes' values in its own JSON."""
    match target:
        case ApiTarget(request=request):
            return target.replace(request=fill(request, attributes))
        case BatchTarget(parameters=parameters, container_overrides=overrides):
            filled = {"parameters": parameters, "container_overrides": overrides}
            return target.replace(**{key: fill(value, attributes) for key, value in filled.items()})
    return target


def check_register(target: type[AwsTarget] | AwsTarget, handler: Handler) -> None:
    """Refuses what cannot stand for a target.

    Raises:
        TypeError: ``target`` is no AWS target or class of one.
        ValueError: ``handler`` takes other arguments than up to three.
    """
    kind = target if isinstance(target, type) else type(target)
    if kind not in get_args(AwsTarget):
        names = ", ".join(each.__name__ for each in get_args(AwsTarget))
        raise TypeError(f"{target!r} is neither one of {names} nor a value of one")
    if call_of(handler, 3) is None:
        raise ValueError(f"{handler!r} takes other arguments than up to (target, input, run)")


def _answer(limit: timedelta | None, function: Handler, *values: object) -> str | None:
    call = call_of(function, len(values))
    if call is None:
        raise TypeError(
            f"{function!r} takes other arguments than up to {len(values)} of target, input and run"
        )
    positional, keywords = call.arguments(values)
    result = function(*positional, **keywords)
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise TypeError("the handler is a generator function: calling it runs nothing")
    if inspect.isawaitable(result):
        # In a thread of its own: the caller's may run an event loop already, as in a notebook.
        with ThreadPoolExecutor(1) as thread:
            result = thread.submit(asyncio.run, _await(result, limit)).result()
    if result is None:
        return None
    try:
        text = json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(result)
    return storable(text)


async def _await(result: Awaitable[object], limit: timedelta | None) -> object:
    if limit is None:
        return await result
    task = asyncio.ensure_future(result)
    _, late = await asyncio.wait({task}, timeout=limit.total_seconds())
    if late:
        task.cancel()
        raise too_long(limit)
    return task.result()


def _command(command: list[str], payload: str, limit: timedelta | None) -> str:
    with TemporaryFile() as output:  # not memory: a command may say more than fits
        process = subprocess.Popen(  # noqa: S603 -- an argument list, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it ends with all that it has started
        )
        try:
            process.communicate(payload.encode(), timeout=None if limit is None else limit.total_seconds())
        except subprocess.TimeoutExpired as error:
            raise too_long(limit) from error
        finally:
            if process.poll() is None:
                _kill(process)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(size - 4 * OUTPUT_LIMIT, 0))
        text = output.read().decode(errors="replace")[-OUTPUT_LIMIT:]
    if process.returncode:
        raise CommandFailedError(process.returncode, text)
    return text


def _kill(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


class CommandFailedError(Exception):
    """A command ended with another code than 0."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(code, output)
        self.code = code
        self.output = output

    def __str__(self) -> str:
        return f"exit code {self.code}" + (f": {self.output.strip()}" if self.output.strip() else "")
