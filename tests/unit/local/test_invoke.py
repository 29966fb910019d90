"""Finding and calling what a target names, inside this process."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import lru_cache, partial, wraps
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.local.commands import CommandFailedError
from stepsched.backends.local.invoke import Invoker
from stepsched.core.outcomes import OUTPUT_LIMIT

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
RUN = ss.Run(id=7, job="job", scheduled_for=T0, status=ss.RunStatus.RUNNING, attempt=1)
PAYLOAD = {"n": 1}
LAMBDA = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
OTHER = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:other")
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:dead")


def job(target: ss.Target | Callable[..., object], **changes: object) -> ss.Job:
    if callable(target):
        target = ss.HandlerTarget(target)
    fields: dict[str, Any] = {
        "schedule": ss.Cron("0 9 * * ? *"),
        "target": target,
        "input": PAYLOAD,
        **changes,
    }
    return ss.Job(name="job", **fields)


def call(target: ss.Target | Callable[..., object], **changes: object) -> str | None:
    return Invoker({}).call(job(target, **changes), RUN)


def refusal(invoker: Invoker, job: ss.Job, *, shared: bool = False) -> ss.UnsupportedError:
    with pytest.raises(ss.UnsupportedError) as caught:
        invoker.check(job, shared=shared)
    assert (caught.value.job, caught.value.backend) == (job.name, "local")
    return caught.value


def wrapped(function: Callable[..., object]) -> Callable[..., object]:
    """What most decorators make: it takes whatever comes, and says that it is the other."""

    @wraps(function)
    def wrapper(*arguments: object, **keywords: object) -> object:
        return function(*arguments, **keywords)

    return wrapper


class Callables:
    """The shapes in which functions come; each says with what it was called."""

    def method(self, payload: object) -> list[object]:
        return [payload]

    def __call__(self, payload: object, run: ss.Run) -> list[object]:
        return [payload, run.id]

    @wrapped
    def wrapped_method(self, payload: object, greeting: str = "hi", *, run: ss.Run) -> list[object]:
        return [payload, run.id]

    @staticmethod
    def static() -> list[object]:
        return []

    @classmethod
    def of_class(cls, payload: object) -> list[object]:
        return [payload]


def three(target: object, payload: object, run: object) -> list[object]:
    return [payload]


def keyword_only(payload: object, *, needed: int) -> None: ...


def keyword_optional(payload: object, *, extra: int = 0) -> list[object]:
    return [payload, extra]


def with_keywords(payload: object, **_more: object) -> list[object]:
    return [payload]


def two(first: object, second: object) -> None: ...


def annotated(payload: object, occurrence: ss.Run) -> list[object]:
    return [payload, occurrence.id]


def annotated_first(occurrence: ss.Run, payload: object) -> list[object]:
    return [occurrence.id, payload]


def annotated_optional(payload: object, greeting: str = "hi", it: ss.Run | None = None) -> list[object]:
    assert greeting == "hi"
    return [payload, it and it.id]


def annotated_by_keyword(*, it: ss.Run) -> list[object]:
    return [it.id]


def annotated_otherwise(run: dict[str, int]) -> list[object]:
    return [run]


def one_of_text(text: str) -> list[object]:
    return [text]


def _with_session(function: Callable[..., object]) -> Callable[..., object]:
    @wraps(function)
    def wrapper(payload: object) -> object:
        return function(payload, session="session")

    return wrapper


@_with_session
def with_session(payload: object, session: str) -> list[object]:
    return [payload, session]


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, payload: object, run: ss.Run) -> list[object]:
        return [payload, run.id]


class TestArguments:
    @pytest.mark.parametrize(
        ("function", "received"),
        [
            pytest.param(Callables.static, [], id="none, as a static method"),
            pytest.param(lambda a: [a], [PAYLOAD], id="the input"),
            pytest.param(lambda a, b: [a, b.id], [PAYLOAD, 7], id="the input and the run"),
            pytest.param(lambda a, b="hi": [a, b], [PAYLOAD, "hi"], id="one with a default"),
            pytest.param(lambda a, b, c=3: [a, b.id, c], [PAYLOAD, 7, 3], id="a third with a default"),
            pytest.param(lambda a=None: [a], [PAYLOAD], id="nothing but one with a default"),
            pytest.param(lambda a=1, b=2: [a, b], [PAYLOAD, 2], id="two with a default"),
            pytest.param(lambda *a: list(a), [PAYLOAD], id="any number"),
            pytest.param(lambda *a, **b: [*a, b], [PAYLOAD, {}], id="anything"),
            pytest.param(lambda a, /: [a], [PAYLOAD], id="positional only"),
            pytest.param(lambda a, *more: [a, *more], [PAYLOAD], id="one and more"),
            pytest.param(lambda a, b, *more: [a, b.id, *more], [PAYLOAD, 7], id="two and more"),
            pytest.param(keyword_optional, [PAYLOAD, 0], id="keyword with a default"),
            pytest.param(with_keywords, [PAYLOAD], id="any keywords"),
            pytest.param(Callables().method, [PAYLOAD], id="method"),
            pytest.param(Callables.of_class, [PAYLOAD], id="class method"),
            pytest.param(Callables(), [PAYLOAD, 7], id="callable object"),
            pytest.param(partial(three, None, PAYLOAD), [PAYLOAD], id="partial"),
            pytest.param(partial(keyword_only, needed=1), None, id="partial that gives the keyword"),
            # the run by name
            pytest.param(lambda run: [run.id], [7], id="the run alone"),
            pytest.param(lambda *, run: [run.id], [7], id="the run alone by keyword"),
            pytest.param(lambda run=None: [run.id], [7], id="the run alone with a default"),
            pytest.param(lambda run, /: [run.id], [7], id="the run alone by position"),
            pytest.param(lambda run, a: [run.id, a], [7, PAYLOAD], id="the run before the input"),
            pytest.param(lambda a, *, run: [a, run.id], [PAYLOAD, 7], id="the run by keyword"),
            pytest.param(lambda a, *, run=None: [a, run.id], [PAYLOAD, 7], id="the run by optional keyword"),
            pytest.param(lambda a, b=1, run=None: [a, b, run.id], [PAYLOAD, 1, 7], id="the run at the end"),
            pytest.param(lambda a=1, run=None: [a, run.id], [PAYLOAD, 7], id="both with a default"),
            pytest.param(lambda run=None, a=1: [a, run.id], [PAYLOAD, 7], id="both, turned"),
            pytest.param(lambda *a, run: [*a, run.id], [PAYLOAD, 7], id="any number and the run"),
            pytest.param(lambda run, *a: [run.id, *a], [7, PAYLOAD], id="the run and any number"),
            pytest.param(lambda a, **more: [a, more], [PAYLOAD, {}], id="no run into any keywords"),
            pytest.param(partial(three, None), [PAYLOAD], id="partial of one with a run"),
            # the run by annotation
            pytest.param(annotated, [PAYLOAD, 7], id="annotated"),
            pytest.param(annotated_first, [7, PAYLOAD], id="annotated, before the input"),
            pytest.param(annotated_optional, [PAYLOAD, 7], id="annotated as optional"),
            pytest.param(annotated_by_keyword, [7], id="annotated, by keyword alone"),
            pytest.param(annotated_otherwise, [PAYLOAD], id="called run, and annotated otherwise"),
            # functions that wrap others
            pytest.param(wrapped(lambda a: [a]), [PAYLOAD], id="wrapped, the input"),
            pytest.param(wrapped(lambda a, b="hi": [a, b]), [PAYLOAD, "hi"], id="wrapped, with a default"),
            pytest.param(wrapped(annotated_optional), [PAYLOAD, 7], id="wrapped, with an annotated run"),
            pytest.param(wrapped(Callables().method), [PAYLOAD], id="wrapped method"),
            pytest.param(Callables().wrapped_method, [PAYLOAD, 7], id="method that is wrapped"),
            pytest.param(with_session, [PAYLOAD, "session"], id="wrapper that gives an argument itself"),
            pytest.param(partial(wrapped(three), None), [PAYLOAD], id="partial of a wrapped one"),
            pytest.param(lru_cache(one_of_text), ["text"], id="cached"),
        ],
    )
    def test_a_function_gets_as_many_as_it_takes(
        self, function: Callable[..., object], received: list[object] | None
    ) -> None:
        changes = {"input": "text"} if received == ["text"] else {}
        Invoker({}).check(job(function), shared=False)
        answer = call(function, **changes)
        assert (
            (answer is None) if received is None else (answer is not None and json.loads(answer) == received)
        )

    @pytest.mark.parametrize("function", [len, dict], ids=["with a signature", "without a signature"])
    def test_a_builtin_gets_the_input(self, function: Callable[..., object]) -> None:
        Invoker({}).check(job(function), shared=False)
        answer = call(function)
        assert answer is not None
        assert json.loads(answer) in (1, PAYLOAD)

    def test_print_prints_the_input(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert call(print) is None
        assert capsys.readouterr().out == "{'n': 1}\n"

    @pytest.mark.parametrize(
        "function",
        [
            pytest.param(lambda a, b, c: None, id="three needed"),
            pytest.param(three, id="three needed, one of them the run"),
            pytest.param(keyword_only, id="a keyword needed"),
            pytest.param(partial(two, first=1), id="a partial that leaves a keyword to give"),
        ],
    )
    def test_a_function_that_cannot_be_called_so_is_refused(self, function: Callable[..., object]) -> None:
        error = refusal(Invoker({}), job(function))
        assert "takes other arguments than (), (input) or (input, run)" in error.reason
        with pytest.raises(TypeError, match="expected a function of up to"):  # one that has changed since
            call(function)

    @pytest.mark.parametrize(
        ("function", "received"),
        [
            pytest.param(lambda a="pdf": [a], ["pdf"], id="optional"),
            pytest.param(lambda a="pdf", run=None: [a, run.id], ["pdf", 7], id="optional, and the run"),
            pytest.param(wrapped(lambda a="pdf": [a]), ["pdf"], id="optional, wrapped"),
            pytest.param(lambda a: [a], [{}], id="required"),
            pytest.param(lambda *a: list(a), [{}], id="any number"),
        ],
    )
    def test_an_optional_parameter_keeps_its_default_where_the_job_has_no_input(
        self, function: Callable[..., object], received: list[object]
    ) -> None:
        answer = call(function, input={})
        assert answer is not None
        assert json.loads(answer) == received

    def test_an_optional_parameter_gets_every_other_input(self) -> None:
        inputs: list[object] = [None, 0, "", [], False, {"a": 1}]
        for given in inputs:
            answer = call(lambda a="pdf": [a], input=given)
            assert answer is not None
            assert json.loads(answer) == [given]

    def test_a_function_that_does_not_hash_is_called_all_the_same(self) -> None:
        assert call(Unhashable()) == '[{"n": 1}, 7]'

    def test_a_function_may_do_to_its_input_what_it_likes(self) -> None:
        mine = job(lambda payload: payload.clear(), input={"deep": [1]})
        Invoker({}).call(mine, RUN)
        assert mine.input == {"deep": [1]}


class Later:
    """Something that can be awaited and is no coroutine."""

    def __await__(self) -> Generator[None, None, str]:
        yield
        return "later"


class TestCoroutines:
    def test_a_coroutine_function_is_run_to_its_end(self) -> None:
        async def handler(payload: dict[str, int]) -> int:
            await asyncio.sleep(0)
            return payload["n"] + 1

        assert call(handler) == "2"

    def test_it_runs_beside_an_event_loop_of_the_caller(self) -> None:
        async def handler() -> str:
            await asyncio.sleep(0)
            return "done"

        async def caller() -> str | None:
            return call(handler)

        assert asyncio.run(caller()) == '"done"'

    def test_whatever_can_be_awaited_is_awaited(self) -> None:
        def handler() -> Awaitable[str]:
            return Later()

        assert call(handler) == '"later"'

    def test_what_it_raises_is_raised(self) -> None:
        async def handler() -> None:
            raise LookupError("not here")

        with pytest.raises(LookupError, match="not here"):
            call(handler)


class TestTimeOut:
    def test_a_coroutine_that_takes_too_long_is_cancelled(self) -> None:
        told = list[str]()

        async def handler() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append("cancelled")
                raise

        with pytest.raises(TimeoutError, match="longer than max_run_time, 0:00:01"):
            call(handler, max_run_time=timedelta(seconds=1))
        assert told == ["cancelled"]

    def test_a_command_that_takes_too_long_is_killed(self, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        program = (
            f"import os, threading; open({str(pid)!r}, 'w').write(str(os.getpid())); threading.Event().wait()"
        )
        with pytest.raises(TimeoutError, match="longer than max_run_time, 0:00:01"):
            call(python(program), max_run_time=timedelta(seconds=1))
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class TestGenerators:
    @pytest.mark.parametrize("function", [generator, async_generator])
    def test_a_generator_function_is_refused(self, function: Callable[..., object]) -> None:
        assert "generator function: calling it runs nothing" in refusal(Invoker({}), job(function)).reason

    @pytest.mark.parametrize("function", [generator, async_generator])
    def test_a_generator_as_answer_has_run_nothing_and_fails(self, function: Callable[..., object]) -> None:
        with pytest.raises(TypeError, match="calling it runs nothing"):
            call(lambda: function())


class TestFutures:
    def test_its_result_is_the_answer(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            assert call(lambda: executor.submit(lambda: {"a": 1})) == '{"a": 1}'

    def test_its_exception_is_raised(self) -> None:
        with ThreadPoolExecutor(1) as executor, pytest.raises(ZeroDivisionError):
            call(lambda: executor.submit(lambda: 1 / 0))

    def test_that_of_a_coroutine_is_awaited_too(self) -> None:
        async def handler() -> Future[str]:
            return executor.submit(lambda: "done")

        with ThreadPoolExecutor(1) as executor:
            assert call(handler) == '"done"'


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


class TestAnswer:
    @pytest.mark.parametrize(
        ("answer", "kept"),
        [
            pytest.param(None, None, id="none"),
            pytest.param({"é": [1, True]}, '{"é": [1, true]}', id="json"),
            pytest.param("", '""', id="empty text"),
            pytest.param(0, "0", id="zero"),
            pytest.param(Odd(), "<odd>", id="no json"),
            pytest.param({"a": Odd()}, "{'a': <odd>}", id="no json inside"),
            pytest.param("\ud800", '"?"', id="half of a surrogate pair"),
            pytest.param("😀", '"😀"', id="beyond the basic plane"),
        ],
    )
    def test_is_kept_as_text(self, answer: object, kept: str | None) -> None:
        assert call(lambda: answer) == kept

    def test_that_holds_itself_is_kept_as_python_shows_it(self) -> None:
        circle: list[object] = []
        circle.append(circle)
        assert call(lambda: circle) == "[[...]]"

    def test_is_cut_to_a_bounded_length(self) -> None:
        answer = call(lambda: "x" * 100_000)
        assert answer == '"' + "x" * (OUTPUT_LIMIT - 1)


def python(program: str) -> ss.CommandTarget:
    return ss.CommandTarget([sys.executable, "-c", program])


class TestCommand:
    def test_gets_its_arguments_as_they_are_and_the_input_as_json(self) -> None:
        program = "import sys; print(sys.argv[1:], sys.stdin.buffer.read().decode())"
        target = ss.CommandTarget([sys.executable, "-X", "utf8", "-c", program, "a b", "$HOME; ls", "*"])
        Invoker({}).check(job(target), shared=True)
        assert call(target, input={"é": [1]}) == "['a b', '$HOME; ls', '*'] {\"é\":[1]}\n"

    def test_runs_in_its_working_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here = python("import os; print(os.getcwd())")
        assert call(here.replace(cwd=str(tmp_path))) == f"{tmp_path.resolve()}\n"
        assert call(here) == f"{Path.cwd()}\n"
        (tmp_path / "reports").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path))
        assert call(here.replace(cwd="~/reports")) == f"{tmp_path.resolve()}/reports\n"

    def test_a_program_is_found_from_its_working_directory(self, tmp_path: Path) -> None:
        program = tmp_path / "hello"
        program.write_text("#!/bin/sh\necho hello\n")
        program.chmod(0o700)
        assert call(ss.CommandTarget(["./hello"], cwd=tmp_path)) == "hello\n"

    def test_a_missing_working_directory_is_a_failure_that_names_it(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nowhere"):
            call(ss.CommandTarget([sys.executable, "-c", "pass"], cwd=tmp_path / "nowhere"))

    def test_gets_its_variables_beside_those_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REGION", "eu")
        monkeypatch.setenv("LEVEL", "info")
        program = python("import os; print(os.environ['REGION'], os.environ['LEVEL'], os.environ['NAME'])")
        variables = {"LEVEL": "debug", "NAME": "$LEVEL é; `id`", "STEPSCHED_WORKER": "x"}
        assert call(program.replace(env=variables | {"PYTHONUTF8": "1"})) == "eu debug $LEVEL é; `id`\n"
        shown = python("import os; print(os.environ['STEPSCHED_WORKER'] == 'x')")
        assert call(shown.replace(env=variables)) == "False\n"

    def test_its_path_finds_the_program(self, tmp_path: Path) -> None:
        program = tmp_path / "only-here"
        program.write_text("#!/bin/sh\necho found\n")
        program.chmod(0o700)
        assert call(ss.CommandTarget(["only-here"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"})) == "found\n"

    @pytest.mark.parametrize("text", ["", "one\ntwo é\n", "x" * 200_000])
    def test_reads_its_own_standard_input_instead_of_the_input(self, text: str) -> None:
        program = "import sys; print(len(sys.stdin.buffer.read().decode()))"
        target = ss.CommandTarget([sys.executable, "-c", program], stdin=text)
        assert call(target, input={}) == f"{len(text)}\n"

    def test_output_and_errors_are_kept_in_one_text(self) -> None:
        program = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
        assert call(python(program)) == "out\nerr\n"

    def test_the_end_of_a_long_output_is_kept(self) -> None:
        answer = call(python("print('x' * 100_000 + 'end')"))
        assert answer is not None
        assert len(answer) == OUTPUT_LIMIT
        assert answer.endswith("xend\n")

    def test_output_that_is_no_text_is_kept_as_far_as_it_is(self) -> None:
        assert call(python("import sys; sys.stdout.buffer.write(b'a\\xffb')")) == "a\ufffdb"

    def test_another_exit_code_than_0_is_a_failure_with_its_output(self) -> None:
        with pytest.raises(CommandFailedError) as caught:
            call(python("import sys; print('no luck'); sys.exit(3)"))
        assert (caught.value.code, caught.value.output) == (3, "no luck\n")
        assert str(caught.value) == "exit code 3: no luck"

    def test_a_failure_without_output_says_the_code(self) -> None:
        with pytest.raises(CommandFailedError, match=r"^exit code 4$"):
            call(python("import sys; sys.exit(4)"))

    def test_a_missing_program_is_a_failure_that_names_it(self) -> None:
        with pytest.raises(FileNotFoundError, match="no-such-program"):
            call(ss.CommandTarget(["no-such-program"]))

    def test_one_that_does_not_read_its_input_is_no_failure(self) -> None:
        assert call(python("print('done')"), input="x" * 200_000) == "done\n"


class TestRegistered:
    def test_a_handler_gets_the_target_the_input_and_the_run(self) -> None:
        invoker = Invoker({ss.LambdaTarget: lambda target, payload, run: [target.kind, payload, run.id]})
        invoker.check(job(LAMBDA), shared=True)
        assert invoker.call(job(LAMBDA), RUN) == '["lambda", {"n": 1}, 7]'

    @pytest.mark.parametrize(
        ("handler", "received"),
        [
            pytest.param(Callables.static, "", id="nothing"),
            pytest.param(lambda a: [a.kind], "T", id="the target"),
            pytest.param(lambda a, b: [a.kind, b], "TI", id="target and input"),
            pytest.param(lambda a, b, c: [a.kind, b, c.id], "TIR", id="all"),
            pytest.param(lambda a, b, c=1: [a.kind, b, c], "TI1", id="a third with a default"),
            pytest.param(lambda a=1, b=2: [a.kind, b], "T2", id="two with a default"),
            pytest.param(lambda *a: [a[0].kind, *a[1:]], "TI", id="any number"),
            pytest.param(lambda a, *b: [a.kind, *b], "TI", id="the target and any number"),
            pytest.param(lambda a=1, *b: [a.kind, *b], "TI", id="any number after a default"),
            pytest.param(lambda a, b=1, *c: [a.kind, b, *c], "T1", id="a default between"),
            pytest.param(lambda a, run: [a.kind, run.id], "TR", id="target and run"),
            pytest.param(lambda run, a, b: [a.kind, b, run.id], "TIR", id="the run before"),
            pytest.param(lambda a, b, *, run=None: [a.kind, b, run.id], "TIR", id="the run by keyword"),
            pytest.param(lambda *a, run: [a[0].kind, a[1], run.id], "TIR", id="any number and the run"),
            pytest.param(lambda *, run: [run.id], "R", id="the run alone"),
        ],
    )
    def test_a_handler_gets_what_it_asks_for(self, handler: Callable[..., object], received: str) -> None:
        values: dict[str, object] = {"T": "lambda", "I": PAYLOAD, "R": 7, "1": 1, "2": 2}
        invoker = Invoker({ss.LambdaTarget: handler})
        answer = invoker.call(job(LAMBDA), RUN)
        assert answer is not None
        assert json.loads(answer) == [values[each] for each in received]

    def test_a_handler_of_exactly_this_target_goes_before_one_of_its_class(self) -> None:
        invoker = Invoker({LAMBDA: lambda: "this"})
        invoker.register(ss.LambdaTarget, lambda: "class")
        assert invoker.call(job(LAMBDA), RUN) == '"this"'
        assert invoker.call(job(OTHER), RUN) == '"class"'

    @pytest.mark.parametrize("target", [LAMBDA, ss.LambdaTarget], ids=["value", "class"])
    def test_the_latest_wins(self, target: ss.LambdaTarget | type[ss.LambdaTarget]) -> None:
        invoker = Invoker({target: lambda: "first"})
        invoker.register(target, lambda: "second")
        assert invoker.call(job(LAMBDA), RUN) == '"second"'

    def test_a_target_that_nobody_stands_for_is_refused_and_the_cure_named(self) -> None:
        invoker = Invoker({OTHER: lambda: None, ss.QueueTarget: lambda: None})
        error = refusal(invoker, job(LAMBDA))
        assert error.reason == "no handler is registered for its LambdaTarget in this process"
        assert error.alternatives[0] == "backend.register(LambdaTarget, function)"
        with pytest.raises(LookupError, match="no handler is registered for LambdaTarget"):
            invoker.call(job(LAMBDA), RUN)

    def test_a_dead_letter_queue_that_nobody_stands_for_is_refused(self) -> None:
        invoker = Invoker({ss.LambdaTarget: lambda: None})
        letter = job(LAMBDA, dead_letter=QUEUE)
        assert "QueueTarget" in refusal(invoker, letter).reason
        invoker.register(QUEUE, lambda: None)
        invoker.check(letter, shared=True)

    @pytest.mark.parametrize(
        "target",
        [
            pytest.param(ss.HandlerTarget("m:f"), id="handler target"),
            pytest.param(ss.CommandTarget, id="command target's class"),
            pytest.param("arn:aws:lambda:eu-west-1:123456789012:function:report", id="text"),
            pytest.param(None, id="none"),
            pytest.param(int, id="another class"),
        ],
    )
    def test_only_aws_targets_can_be_stood_for(self, target: ss.LambdaTarget) -> None:
        with pytest.raises(TypeError, match=r"expected one of LambdaTarget, .*, or a target of one"):
            Invoker({}).register(target, lambda: None)

    @pytest.mark.parametrize(
        "handler",
        [lambda a, b, c, d: None, lambda a, b, c, run: None, keyword_only],
        ids=["four needed", "three and the run needed", "a keyword needed"],
    )
    def test_a_function_of_other_arguments_cannot_stand_for_a_target(
        self, handler: Callable[..., object]
    ) -> None:
        with pytest.raises(ValueError, match=r"expected a function of up to \(target, input, run\)"):
            Invoker({}).register(ss.LambdaTarget, handler)
        with pytest.raises(ValueError, match="expected a function of up to"):
            Invoker({ss.LambdaTarget: handler})


class TestNames:
    @pytest.fixture(autouse=True)
    def modules(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        before = set(sys.modules)
        (tmp_path / "stepsched_raises.py").write_text("raise RuntimeError('half a module')")
        (tmp_path / "stepsched_exits.py").write_text("raise SystemExit(5)")
        (tmp_path / "stepsched_fine.py").write_text(
            "class Deep:\n    @staticmethod\n    def f(payload):\n        return payload\nvalue = 5\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        yield
        for name in set(sys.modules) - before:
            if name.startswith("stepsched_"):
                del sys.modules[name]

    def test_a_function_is_found_by_its_name(self) -> None:
        target = ss.HandlerTarget("stepsched_fine:Deep.f")
        Invoker({}).check(job(target), shared=True)
        assert call(target) == '{"n": 1}'

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            pytest.param(
                "stepsched_raises:f", "cannot be imported: RuntimeError: half a module", id="raises"
            ),
            pytest.param("stepsched_exits:f", "cannot be imported: SystemExit: 5", id="exits"),
            pytest.param("stepsched_nowhere:f", "No module named 'stepsched_nowhere'", id="no module"),
            pytest.param("stepsched_fine:g", "cannot be imported: AttributeError", id="no function"),
            pytest.param("stepsched_fine:value", "stepsched_fine:value is not callable", id="not callable"),
        ],
    )
    def test_a_name_that_leads_nowhere_is_refused_with_the_reason(self, name: str, reason: str) -> None:
        assert reason in refusal(Invoker({}), job(ss.HandlerTarget(name))).reason
        with pytest.raises(ss.UnsupportedError):
            call(ss.HandlerTarget(name))

    @pytest.mark.parametrize(
        "target",
        [
            pytest.param(ss.HandlerTarget(lambda: None), id="lambda"),
            pytest.param(ss.HandlerTarget("__main__:handler"), id="of the program itself"),
        ],
    )
    def test_a_file_takes_only_functions_that_another_process_can_find(
        self, target: ss.HandlerTarget
    ) -> None:
        error = refusal(Invoker({}), job(target), shared=True)
        assert "has no importable name, so a stored job would lose it" in error.reason
        assert error.alternatives == (
            "define the function at the top of a module",
            "LocalBackend() in memory",
        )

    def test_memory_takes_a_lambda(self) -> None:
        Invoker({}).check(job(lambda: None), shared=False)

    def test_a_module_is_seen_once_somebody_has_imported_it(self) -> None:
        invoker = Invoker({})
        wanted = job(ss.HandlerTarget("stepsched_fine:Deep.f"))
        assert invoker.unseen(wanted) == ["stepsched_fine:Deep.f"]
        assert "stepsched_fine" not in sys.modules  # to look imports nothing
        invoker.examine("stepsched_fine:Deep.f")
        assert invoker.unseen(wanted) == []
        assert invoker.why_not(wanted) is None
        assert Invoker({}).unseen(wanted) == []

    @pytest.mark.parametrize(
        "target",
        [
            pytest.param(ss.HandlerTarget(lambda: None), id="function"),
            pytest.param(ss.CommandTarget(["true"]), id="command"),
            pytest.param(LAMBDA, id="aws"),
            pytest.param(ss.HandlerTarget("json:dumps"), id="imported"),
        ],
    )
    def test_nothing_is_to_be_seen_where_nothing_is_to_be_imported(self, target: ss.Target) -> None:
        assert Invoker({}).unseen(job(target)) == []

    def test_each_part_is_looked_at(self) -> None:
        parts = (ss.HandlerTarget("stepsched_fine:Deep.f"), ss.HandlerTarget("stepsched_nowhere:f"))
        invoker, wanted = Invoker({}), job(ss.ParallelTarget(parts))
        assert invoker.unseen(wanted) == ["stepsched_fine:Deep.f", "stepsched_nowhere:f"]
        for handler in invoker.unseen(wanted):
            invoker.examine(handler)
        assert invoker.unseen(wanted) == []
        assert "No module named 'stepsched_nowhere'" in (invoker.why_not(wanted) or "")

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("stepsched_raises:f", "stepsched_raises:f cannot be imported: RuntimeError: half a module"),
            ("stepsched_exits:f", "stepsched_exits:f cannot be imported: SystemExit: 5"),
            ("stepsched_interrupts:f", "stepsched_interrupts:f cannot be imported: KeyboardInterrupt: "),
            ("stepsched_strange:f", "stepsched_strange:f cannot be imported: Strange"),
        ],
    )
    def test_what_a_module_raises_is_the_reason_and_goes_no_further(
        self, tmp_path: Path, name: str, reason: str
    ) -> None:
        (tmp_path / "stepsched_interrupts.py").write_text("raise KeyboardInterrupt")
        (tmp_path / "stepsched_strange.py").write_text(
            "class Strange(Exception):\n    def __str__(self): raise SystemExit\nraise Strange"
        )
        invoker, wanted = Invoker({}), job(ss.HandlerTarget(name))
        invoker.examine(name)
        assert (invoker.why_not(wanted) or "").startswith(reason)
        assert invoker.unseen(wanted) == []  # it is not tried again

    def test_what_could_not_be_imported_is_tried_again_when_it_is_asked_for(self, tmp_path: Path) -> None:
        invoker, wanted = Invoker({}), job(ss.HandlerTarget("stepsched_later:f"))
        invoker.examine("stepsched_later:f")
        (tmp_path / "stepsched_later.py").write_text("def f(): return 1")
        importlib.invalidate_caches()
        assert invoker.why_not(wanted) is not None
        invoker.look_anew()
        assert invoker.unseen(wanted) == ["stepsched_later:f"]
        invoker.examine("stepsched_later:f")
        assert (invoker.unseen(wanted), invoker.why_not(wanted)) == ([], None)

    def test_a_module_without_the_function_is_seen_and_cannot_be_called(self) -> None:
        invoker, wanted = Invoker({}), job(ss.HandlerTarget("stepsched_fine:g"))
        invoker.examine("stepsched_fine:g")
        assert invoker.unseen(wanted) == []
        assert "AttributeError" in (invoker.why_not(wanted) or "")

    def test_why_not_tells_of_a_target_that_nobody_stands_for_until_somebody_does(self) -> None:
        invoker = Invoker({})
        assert invoker.why_not(job(LAMBDA)) == "no handler is registered for its LambdaTarget in this process"
        invoker.register(LAMBDA, lambda: None)
        assert invoker.why_not(job(LAMBDA)) is None

    def test_modules_that_may_not_be_imported_are_not(self) -> None:
        invoker = Invoker({}, handlers_from=["json", "stepsched_fin"])
        wanted = job(ss.HandlerTarget("stepsched_fine:Deep.f"))
        assert invoker.unseen(wanted) == []
        reason = "stepsched_fine:Deep.f is not among the modules of handlers_from, json, stepsched_fin"
        assert invoker.why_not(wanted) == reason
        assert refusal(invoker, wanted, shared=True).reason == reason
        with pytest.raises(ss.UnsupportedError):
            invoker.call(wanted, RUN)
        assert "stepsched_fine" not in sys.modules

    @pytest.mark.parametrize("name", ["stepsched_fine:Deep.f", "json:dumps", "json.decoder:JSONDecoder"])
    def test_modules_that_may_be_imported_are_with_those_below_them(self, name: str) -> None:
        invoker = Invoker({}, handlers_from=["json", "stepsched_fine"])
        invoker.examine(name)
        assert invoker.unseen(job(ss.HandlerTarget(name))) == []
        assert "handlers_from" not in (invoker.why_not(job(ss.HandlerTarget(name))) or "")

    def test_no_module_may_be_imported_where_none_is_named(self) -> None:
        invoker = Invoker({}, handlers_from=[])
        reason = "json:dumps is not among the modules of handlers_from, which names none"
        assert invoker.why_not(job(ss.HandlerTarget("json:dumps"))) == reason

    def test_a_function_that_was_handed_over_is_called_whatever_may_be_imported(self) -> None:
        invoker = Invoker({}, handlers_from=[])
        invoker.check(job(lambda: 1), shared=False)
        assert invoker.call(job(lambda: 1), RUN) == "1"
