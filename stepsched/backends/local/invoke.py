"""Calls what a target names, inside this process."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from datetime import timezone
from typing import get_args
from uuid import uuid4

from stepsched.backends.capabilities import backends_with
from stepsched.backends.local.commands import run_command
from stepsched.backends.local.loops import Loops
from stepsched.backends.local.outcomes import one_line, storable
from stepsched.backends.local.parameters import call_of
from stepsched.backends.local.parts import Parts
from stepsched.backends.local.process import only_here
from stepsched.core.clock import Clock, PlayableClock
from stepsched.core.context import (
    ATTEMPT_NUMBER,
    EXECUTION_ID,
    SCHEDULE_ARN,
    SCHEDULED_TIME,
    ContextText,
    fill,
)
from stepsched.core.errors import UnsupportedError
from stepsched.core.payloads import to_json
from stepsched.jobs import Job, Run
from stepsched.targets import (
    AwsTarget,
    CommandTarget,
    HandlerTarget,
    ParallelTarget,
    SingleTarget,
    parts_of,
    takes_input,
)
from stepsched.targets.local import main_module_name

NAME = "local"
"""How the backend is called in errors."""
Handler = Callable[..., object]
Wrapper = Callable[[Job, Run, Callable[[], "str | None"]], "str | None"]
"""Called with the job, the run and what makes the call; answers what that answers."""
_MOST_CHECKED = 10_000
_SCALARS = (type(None), bool, int, float, str)
"""Payloads that nobody can change, and that hold no context attribute."""
Handlers = Mapping[type[AwsTarget] | AwsTarget, Handler]


class Invoker:
    """Finds and calls the function, command or registered handler of a job."""

    def __init__(
        self, handlers: Handlers, *, clock: Clock | None = None, handlers_from: Collection[str] | None = None
    ) -> None:
        """An invoker.

        Args:
            handlers: What stands for AWS targets.
            clock: Whose time it is. None: the machine's. On one that is played, nothing runs side by side.
            handlers_from: The modules, with all below them, whose functions may be imported. None: any.
        """
        self.loops = Loops()
        self.worker = uuid4().hex
        """In whose name commands run: their mark leads whoever looks for them to no other's."""
        self._played = isinstance(clock, PlayableClock)
        self._modules = None if handlers_from is None else tuple(handlers_from)
        self._unimportable: dict[str, str] = {}
        """Functions that could not be imported, and why; not tried again before :meth:`look_anew`."""
        self._checked = set[str]()
        """Functions that are known to be there, and to be called with what they get."""
        self._parts = Parts(clock if isinstance(clock, PlayableClock) else None)
        self._around: Wrapper = lambda _job, _run, call: call()
        self._handlers: list[tuple[type[AwsTarget] | AwsTarget, Handler]] = list(handlers.items())
        for target, handler in self._handlers:
            check_register(target, handler)

    @property
    def handlers(self) -> dict[type[AwsTarget] | AwsTarget, Handler]:
        """What stands for AWS targets."""
        return dict(self._handlers)

    def reset_after_fork(self) -> None:
        """In a child process: loops and threads are the parent's."""
        self.loops.reset()
        self._parts.reset()

    # -- what can be called ----------------------------------------------------------------------------

    def unseen(self, job: Job) -> list[str]:
        """Functions of a job whose modules are not imported yet; :meth:`examine` does that, and takes its
        time."""
        if self._is_checked(job):
            return []
        return [
            part.handler
            for part in parts_of(job.target)
            if isinstance(part, HandlerTarget)
            and part.function is None
            and part.handler not in self._unimportable
            and not _is_imported(part.handler)
            and self._is_allowed(part.handler)
        ]

    def examine(self, handler: str) -> None:
        """Imports the module of a function; where that fails, :meth:`why_not` says so from now on."""
        try:
            only_here(lambda: importlib.import_module(_module_of(handler)))
        except BaseException as error:  # noqa: BLE001 -- a module is user code
            self._unimportable[handler] = f"{handler} cannot be imported: {_told(error)}"
        else:
            if not _is_imported(handler):
                self._unimportable[handler] = f"{handler} cannot be imported: its module is not there"

    def why_not(self, job: Job) -> str | None:
        """Why a job cannot be called in this process; None where it can. Imports nothing."""
        if self._is_checked(job):
            return None
        target = job.target
        for part in parts_of(target):
            if isinstance(part, HandlerTarget) and part.handler in self._unimportable:
                return self._unimportable[part.handler]
        try:
            self.check(job, shared=False)
        except UnsupportedError as error:
            return error.reason
        if (
            isinstance(target, HandlerTarget)
            and target.function is None
            and len(self._checked) < _MOST_CHECKED
        ):
            self._checked.add(target.handler)
        return None

    def _is_checked(self, job: Job) -> bool:
        target = job.target
        return isinstance(target, HandlerTarget) and target.handler in self._checked and _has_no_letters(job)

    def look_anew(self) -> None:
        """What could not be imported may be tried again."""
        self._unimportable.clear()
        self._checked.clear()

    def _is_allowed(self, handler: str) -> bool:
        module = handler.partition(":")[0]
        return self._modules is None or any(
            module == name or module.startswith(f"{name}.") for name in self._modules
        )

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
                    raise UnsupportedError(job.name, NAME, reason, mend)
                function = self._import(job, target)
                if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
                    reason = f"{target.handler} is a generator function: calling it runs nothing"
                    raise UnsupportedError(job.name, NAME, reason)
                if call_of(function, 2) is None:
                    reason = f"{target.handler} takes other arguments than (), (input) or (input, run)"
                    raise UnsupportedError(job.name, NAME, reason)
            case CommandTarget():
                pass
            case target:
                self._check_registered(job, target)

    def _check_registered(self, job: Job, target: AwsTarget) -> None:
        if self._registered(target) is None:
            name = type(target).__name__
            reason = f"no handler stands for its {name} in this process"
            mend = (f"backend.register({name}, function)", *backends_with("aws_targets"))
            raise UnsupportedError(job.name, NAME, reason, mend)

    def wrap(self, wrapper: Wrapper) -> None:
        """Puts a function around every call from now on, inside those that are there already."""
        inner = self._around
        self._around = lambda job, run, call: inner(job, run, lambda: wrapper(job, run, call))

    def call(self, job: Job, run: Run) -> str | None:
        """Runs the target to its end; whatever it raises goes to the caller.

        Returns:
            The answer as bounded text; None when there was none.
        """
        return only_here(lambda: self._around(job, run, lambda: self._call(job, run)))

    def forget(self, run: Run) -> None:
        """No attempt of the run follows: which of its parts have succeeded no longer matters."""
        self._parts.forget(run)

    def _call(self, job: Job, run: Run) -> str | None:
        target, limit = job.target, job.max_run_time
        if not isinstance(target, ParallelTarget):
            return self._call_part(job, run, target)
        return self._parts.call(target, run, limit, lambda part: self._call_part(job, run, part))

    def _call_part(self, job: Job, run: Run, part: SingleTarget) -> str | None:
        attributes = _Attributes(job, run)
        given = job.input
        payload = given if type(given) in _SCALARS else fill(deepcopy(given), attributes)
        match part:
            case HandlerTarget() as target:
                return self._answer(job, self._import(job, target), payload, run)
            case CommandTarget(command=command):
                marker = f"{self.worker}#{run.id}.{run.attempt}"
                return run_command(list(command), to_json(payload), job.max_run_time, marker=marker)
            case target:
                handler = self._registered(target)
                if handler is None:
                    raise LookupError(f"no handler stands for {target!r} in this process")
                return self._answer(job, handler, _filled(target, attributes), payload, run)

    def _answer(self, job: Job, function: Handler, *arguments: object) -> str | None:
        call = call_of(function, len(arguments))
        if call is None:
            wanted = f"up to {len(arguments)} of target, input and run"
            raise TypeError(f"{function!r} takes other arguments than {wanted}")
        positional, keywords = call.arguments(arguments)
        result = function(*positional, **keywords)
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise TypeError("the handler is a generator function: calling it runs nothing")
        if inspect.isawaitable(result):
            result = self.loops.run(result, job.max_run_time, patient=not self._played)
        if result is None:
            return None
        try:
            text = json.dumps(result, ensure_ascii=False)
        except (TypeError, ValueError):
            text = repr(result)
        return storable(text)

    def _import(self, job: Job, target: HandlerTarget) -> Handler:
        if target.function is not None:
            return target.function
        if not self._is_allowed(target.handler):
            modules = ", ".join(self._modules or ())
            reason = f"{target.handler} is not among the modules of handlers_from, {modules}"
            raise UnsupportedError(job.name, NAME, reason, ("LocalBackend(handlers_from=[...])",))
        path = target.handler.partition(":")[2]
        try:
            name = _module_of(target.handler)
            found: object = sys.modules[name] if _is_whole(name) else importlib.import_module(name)
            for part in path.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            reason = f"{target.handler} cannot be imported: {_told(error)}"
            raise UnsupportedError(job.name, NAME, reason, ("put it on the import path",)) from error
        home = getattr(found, "__module__", None) or type(found).__module__
        if not self._is_allowed(f"{home}:"):  # what a module has imported is not its own
            reason = f"{target.handler} is defined in {home}, which is not among the modules of handlers_from"
            raise UnsupportedError(job.name, NAME, reason, ("LocalBackend(handlers_from=[...])",))
        if not callable(found):
            raise UnsupportedError(job.name, NAME, f"{target.handler} is not callable")
        return found

    def _registered(self, target: AwsTarget) -> Handler | None:
        """The handler of exactly this target, else of its class; the latest registration wins."""
        for wanted in (target, type(target)):
            for known, handler in reversed(self._handlers):
                if known == wanted:
                    return handler
        return None


class _Attributes(Mapping[ContextText, str]):
    """What stands for the context attributes of EventBridge Scheduler in this process, when asked for."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job = job
        self._run = run

    def __getitem__(self, attribute: ContextText) -> str:
        job, run = self._job, self._run
        match attribute:
            case str() if attribute == SCHEDULE_ARN:
                return f"arn:aws:scheduler:local:000000000000:schedule/{job.group}/{job.name}"
            case str() if attribute == SCHEDULED_TIME:
                return f"{run.scheduled_for.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
            case str() if attribute == EXECUTION_ID:
                return f"{run.id}-{run.attempt}"
            case str() if attribute == ATTEMPT_NUMBER:
                return str(run.attempt)
        raise KeyError(attribute)

    def __iter__(self) -> Iterator[ContextText]:
        return iter((SCHEDULE_ARN, SCHEDULED_TIME, EXECUTION_ID, ATTEMPT_NUMBER))

    def __len__(self) -> int:
        return 4


def _filled(target: AwsTarget, attributes: Mapping[ContextText, str]) -> AwsTarget:
    """The target with the attributes' values in what it brings in place of the input."""
    if takes_input(target):
        return target
    return target.replace(
        **{key: fill(value, attributes) for key, value in target if isinstance(value, dict)}
    )


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


def _has_no_letters(job: Job) -> bool:
    return job.dead_letter is None and job.notify is None


def _module_of(handler: str) -> str:
    """The module of a function as this process knows it: the program itself must not be imported a second
    time."""
    module = handler.partition(":")[0]
    return "__main__" if module == main_module_name() else module


def _is_imported(handler: str) -> bool:
    """Whether the module of a function is there whole."""
    return _is_whole(_module_of(handler))


def _is_whole(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _told(error: BaseException) -> str:
    try:
        return one_line(f"{type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001 -- user code
        return type(error).__name__
