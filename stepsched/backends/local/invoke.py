"""Calls handlers and commands in this process."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from copy import deepcopy
from datetime import timezone
from functools import partial
from hashlib import sha256
from typing import TypeAlias, get_args
from urllib.parse import quote
from uuid import uuid4

from pydantic import JsonValue

from stepsched.backends.capabilities import NAMES
from stepsched.backends.local.commands import run_command
from stepsched.backends.local.parameters import call_of
from stepsched.backends.local.parts import Parts
from stepsched.backends.local.process import marker_of
from stepsched.backends.needs import others_for
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
from stepsched.core.forks import only_here
from stepsched.core.loops import Loops
from stepsched.core.outcomes import one_line, storable, words
from stepsched.core.payloads import to_json
from stepsched.core.quoting import quoted
from stepsched.jobs import Job, Run
from stepsched.targets import (
    AwsTarget,
    CommandTarget,
    FanOutTarget,
    HandlerTarget,
    HttpTarget,
    ParallelTarget,
    QueueTarget,
    SingleTarget,
    WorkflowTarget,
    parts_of,
    takes_input,
)
from stepsched.targets.inputs import why_not_input
from stepsched.targets.local import main_module_name
from stepsched.webhooks.addresses import PrivateHosts
from stepsched.webhooks.sending import Sender, WebhookCall, has_client

NAME = NAMES["LocalBackend"]
"""How the backend is called in errors."""
Handler = Callable[..., object]
Wrapper = Callable[[Job, Run, Callable[[], "str | None"]], "str | None"]
"""A function that wraps a call: it gets the job, the run and the call, and returns the result of the call."""
_MOST_CHECKED = 10_000
_SCALARS = (type(None), bool, int, float, str)
"""The types of immutable payloads without context attributes."""
Replaceable: TypeAlias = AwsTarget | HttpTarget
"""A target for which a registered function can stand."""
Handlers = Mapping[type[Replaceable] | Replaceable, Handler]


class Invoker:
    """Finds and calls the function, command or registered handler of a job."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        clock: Clock | None = None,
        handlers_from: Collection[str] | None = None,
        sender: Sender | None = None,
        identity: Callable[[], str] | None = None,
    ) -> None:
        """Creates an invoker.

        Args:
            handlers: The functions that handle targets in AWS and URLs.
            clock: The clock. None: the machine's clock. With a fake clock nothing runs in parallel.
            handlers_from: The modules whose functions may be imported, including the modules below them.
                None: any.
            sender: Calls URLs. None: public ones only.
            identity: Returns the ID of the store of the runs. None: they are in no store.
        """
        self.loops = Loops()
        self.worker = uuid4().hex
        """The worker name in the environment of commands, by which they are identified."""
        self._played = isinstance(clock, PlayableClock)
        self._modules = None if handlers_from is None else tuple(handlers_from)
        self._unimportable: dict[str, str] = {}
        """Functions that could not be imported, with the reason. They are not retried before
        :meth:`look_anew`."""
        self._checked = set[str]()
        """Functions that are known to exist and to accept their arguments."""
        self._parts = Parts(clock if isinstance(clock, PlayableClock) else None)
        self._sender = sender or Sender(PrivateHosts())
        self._identity = identity or partial(str, uuid4().hex)
        self._around: Wrapper = lambda _job, _run, call: call()
        self._handlers: list[tuple[type[Replaceable] | Replaceable, Handler]] = list(handlers.items())
        for target, handler in self._handlers:
            check_register(target, handler)

    @property
    def handlers(self) -> dict[type[Replaceable] | Replaceable, Handler]:
        """The functions that handle targets in AWS and URLs."""
        return dict(self._handlers)

    def reset_after_fork(self) -> None:
        """Resets the invoker in a child process: loops and threads belong to the parent."""
        self.loops.reset()
        self._parts.reset()

    # -- what can be called ----------------------------------------------------------------------------

    def unseen(self, job: Job) -> list[str]:
        """Returns the functions of a job whose modules are not imported yet; :meth:`examine` imports them,
        which may take long."""
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
        """Imports the module of a function; if that fails, :meth:`why_not` returns the reason afterwards."""
        try:
            only_here(lambda: importlib.import_module(_module_of(handler)))
        except BaseException as error:  # noqa: BLE001 -- a module is user code
            self._unimportable[handler] = f"{handler} cannot be imported: {_told(error)}"
        else:
            if not _is_imported(handler):
                self._unimportable[handler] = f"{handler} cannot be imported: its module does not exist"

    def why_not(self, job: Job) -> str | None:
        """Returns why a job cannot be called in this process; None if it can. Imports nothing."""
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
        """Allows failed imports to be retried."""
        self._unimportable.clear()
        self._checked.clear()

    def _is_allowed(self, handler: str) -> bool:
        module = handler.partition(":")[0]
        return self._modules is None or any(
            module == name or module.startswith(f"{name}.") for name in self._modules
        )

    def register(self, target: type[Replaceable] | Replaceable, handler: Handler) -> None:
        """Registers a handler for the target, or for every target of the class."""
        check_register(target, handler)
        self._handlers.append((target, handler))

    def check(self, job: Job, *, shared: bool) -> None:
        """Refuses a job that could not be called.

        Args:
            job: The job.
            shared: Whether another process may have to run it, so that its functions must be importable.

        Raises:
            UnsupportedError: The job cannot be called; the error has the reason and alternatives.
        """
        for part in parts_of(job.target):
            self._check_part(job, part, shared=shared)
        for letter_box in (job.dead_letter, job.notify):
            if letter_box is not None:
                self._check_registered(job, letter_box)

    def check_data(self, job: Job) -> None:
        """Refuses data that the service of a target in AWS would refuse at every run, so that a job that is
        accepted here can move to AWS.

        Raises:
            UnsupportedError: The service would refuse it.
        """
        for part in parts_of(job.target):
            if isinstance(part, (HandlerTarget, CommandTarget, WorkflowTarget)):
                continue
            if isinstance(part, HttpTarget):
                if part is job.target and not part.takes_input and job.input != {}:
                    words = f"a call with {part.method} has no body, and the job has an input"
                    raise UnsupportedError(job.name, NAME, words, ("leave input out", "method='POST'"))
                continue
            reason = why_not_input(part, job.input, lenient=True)
            if reason is not None:
                raise UnsupportedError(job.name, NAME, reason, ("correct the data", "a HandlerTarget"))

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
            case WorkflowTarget():
                if job.max_run_time is not None:
                    reason = "max_run_time does not end a workflow"
                    raise UnsupportedError(job.name, NAME, reason, ("timeout of its steps",))
            case HttpTarget() as target if self._registered(target) is None:
                self._check_call(job, target)
            case target:
                self._check_registered(job, target)

    def _check_call(self, job: Job, target: HttpTarget) -> None:
        """Refuses a URL that this process could not call. Names are not resolved yet."""
        mend = ("backend.register(HttpTarget, function)",)
        if not has_client():
            reason = "an HttpTarget needs httpx, which is not installed"
            raise UnsupportedError(job.name, NAME, reason, ("pip install 'stepsched[webhooks]'", *mend))
        if target.connection_arn is not None:
            reason = "connection_arn: a connection of EventBridge is of no use outside AWS"
            raise UnsupportedError(
                job.name,
                NAME,
                reason,
                ("leave connection_arn out", *mend, *others_for(job, "LocalBackend", "aws_targets")),
            )
        forbidden = self._sender.permitted.why_refused(target.host)
        if forbidden is not None:
            cure = f"LocalBackend(private_hosts=[{target.host!r}])"
            raise UnsupportedError(job.name, NAME, f"{forbidden}, which is not called", (cure, *mend))

    def _check_registered(self, job: Job, target: Replaceable) -> None:
        if self._registered(target) is None:
            name = type(target).__name__
            reason = f"no handler is registered for its {name} in this process"
            mend = (f"backend.register({name}, function)", *others_for(job, "LocalBackend", "aws_targets"))
            raise UnsupportedError(job.name, NAME, reason, mend)

    def wrap(self, wrapper: Wrapper) -> None:
        """Wraps every following call in a function, inside the functions that were added before."""
        inner = self._around
        self._around = lambda job, run, call: inner(job, run, lambda: wrapper(job, run, call))

    def call(self, job: Job, run: Run) -> str | None:
        """Calls the target and waits for its end. An exception of the target is raised.

        Returns:
            The result as truncated text; None if there is none.
        """
        return only_here(lambda: self._around(job, run, lambda: self._call(job, run)))

    def forget(self, run: Run) -> None:
        """Forgets which parts of the run have succeeded, since no attempt follows."""
        self._parts.forget(run)

    def _call(self, job: Job, run: Run) -> str | None:
        target, limit = job.target, job.max_run_time
        if not isinstance(target, ParallelTarget):
            return self._call_part(job, run, target)
        return self._parts.call(
            target, run, limit, lambda place, part: self._call_part(job, run, part, place)
        )

    def _call_part(self, job: Job, run: Run, part: SingleTarget, place: int = 0) -> str | None:
        attributes = _Attributes(job, run)
        given = job.input
        payload = given if type(given) in _SCALARS else fill(deepcopy(given), attributes)
        match part:
            case HandlerTarget() as target:
                return self._answer(job, self._import(job, target), payload, run)
            case CommandTarget() as target:
                marker = marker_of(self.worker, run)
                return run_command(target, to_json(payload), job.max_run_time, marker=marker)
            case WorkflowTarget():
                raise LookupError("a workflow is not called in a thread")
            case HttpTarget() as target if self._registered(target) is None:
                return self._sender.send(self._webhook(target, payload, run, place), job.max_run_time)
            case target:
                found = self._registered(target)
                if found is None:
                    raise LookupError(f"no handler is registered for {target!r} in this process")
                known, handler = found
                if isinstance(target, FanOutTarget):
                    return self._parts.send(
                        target, run, place, lambda text: self._answer(job, handler, known, text, run)
                    )
                return self._answer(job, handler, _filled(target, attributes), payload, run)

    def _webhook(self, target: HttpTarget, payload: JsonValue, run: Run, place: int) -> WebhookCall:
        """Returns an attempt to call a URL. Its ID is the same for all attempts of a run, and no other run or
        part of a target has it."""
        of_part = f"{self._identity()} {run.id} {place}"
        return WebhookCall(
            target.url,
            target.method,
            target.headers,
            target.signing_secret or (),
            to_json(payload).encode() if target.takes_input else None,
            id=f"msg_{sha256(of_part.encode()).hexdigest()[:32]}",
            job=run.job,
            scheduled_for=run.scheduled_for,
            attempt=run.attempt,
        )

    def _answer(self, job: Job, function: Handler, *arguments: object) -> str | None:
        call = call_of(function, len(arguments))
        if call is None:
            wanted = f"up to {len(arguments)} of target, input and run"
            raise TypeError(f"expected a function of {wanted}, got {quoted(function)}")
        positional, keywords = call.arguments(arguments)
        result = function(*positional, **keywords)
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise TypeError("the handler is a generator function: calling it runs nothing")
        if inspect.isawaitable(result):
            result = self.loops.run(result, job.max_run_time, patient=not self._played)
        if isinstance(result, Future):
            result = result.result()  # which the engine times out as it does a function
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
            modules = ", ".join(self._modules or ()) or "which names none"
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
        if not self._is_allowed(f"{home}:"):  # an imported name is not the module's own
            reason = f"{target.handler} is defined in {home}, which is not among the modules of handlers_from"
            raise UnsupportedError(job.name, NAME, reason, ("LocalBackend(handlers_from=[...])",))
        if not callable(found):
            raise UnsupportedError(job.name, NAME, f"{target.handler} is not callable")
        return found

    def _registered(self, target: Replaceable) -> tuple[Replaceable, Handler] | None:
        """Returns the handler of exactly this target, or else of its class, with the target that it is called
        with; the latest registration applies. A :class:`FanOutTarget` without a handler has that of its
        queue."""
        able: list[Replaceable] = [target]
        if isinstance(target, FanOutTarget):
            able.append(QueueTarget(target.queue_arn, message_group_id=target.message_group_id))
        for each in able:
            for wanted in (each, type(each)):
                for known, handler in reversed(self._handlers):
                    if known == wanted:
                        return each, handler
        return None


class _Attributes(Mapping[ContextText, str]):
    """The values of the context attributes in this process, computed on demand."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job = job
        self._run = run

    def __getitem__(self, attribute: ContextText) -> str:
        job, run = self._job, self._run
        match attribute:
            case str() if attribute == SCHEDULE_ARN:
                return f"arn:aws:scheduler:local:000000000000:schedule/{job.group}/{quote(job.name, safe='')}"
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


def filled(job: Job, run: Run) -> JsonValue:
    """Returns the input of a run, a copy with the attributes replaced."""
    value: JsonValue = fill(deepcopy(job.input), _Attributes(job, run))
    return value


def _filled(target: Replaceable, attributes: Mapping[ContextText, str]) -> Replaceable:
    """Returns the target with the attributes replaced in the values that it has instead of the input."""
    if takes_input(target):
        return target
    return target.replace(
        **{key: fill(value, attributes) for key, value in target if isinstance(value, dict)}
    )


def check_register(target: type[Replaceable] | Replaceable, handler: Handler) -> None:
    """Refuses a target or handler that cannot be registered.

    Raises:
        TypeError: ``target`` is neither a target in AWS or a URL, nor a class of such targets.
        ValueError: ``handler`` requires other arguments than up to (target, input, run).
    """
    kind = target if isinstance(target, type) else type(target)
    if kind not in get_args(Replaceable):
        names = ", ".join(each.__name__ for each in get_args(Replaceable))
        raise TypeError(f"expected one of {names}, or a target of one, got {quoted(target)}")
    if call_of(handler, 3) is None:
        raise ValueError(f"expected a function of up to (target, input, run), got {quoted(handler)}")


def _has_no_letters(job: Job) -> bool:
    return job.dead_letter is None and job.notify is None


def _module_of(handler: str) -> str:
    """Returns the name of a function's module in this process: the main program must not be imported a second
    time."""
    module = handler.partition(":")[0]
    return "__main__" if module == main_module_name() else module


def _is_imported(handler: str) -> bool:
    """Returns whether the module of a function is completely imported."""
    return _is_whole(_module_of(handler))


def _is_whole(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _told(error: BaseException) -> str:
    return one_line(words(error))
