"""The client for event loops: every verb awaited, nothing blocked, and a clear word on what was cancelled."""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import gc
import inspect
import logging
import pickle
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest

import stepsched as ss
from stepsched.backends.base import JobQuery
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
PATIENCE = 20.0
aio: Any = import_module("stepsched.aio")
"""With what its stub does not show."""
Answer = TypeVar("Answer")
REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


def job(name: str = "job", **changes: object) -> ss.Job:
    made = ss.Job(name=name, schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget("builtins:print"))
    return made.replace(**changes)


def quick() -> str:
    """A handler that is done at once."""
    return "done"


class Held(ss.LocalBackend):
    """A backend whose ``get`` goes on until it is told to end, and then may fail."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, clock=FakeClock(T0))
        self.begun, self.release = threading.Event(), threading.Event()
        self.asked = list[str]()
        self.threads = set[threading.Thread]()
        self.requests = list[str]()
        self.error: BaseException | None = None

    def get(self, name: str, *, group: str | None = None) -> ss.JobRecord:
        self.asked.append(name)
        self.threads.add(threading.current_thread())
        self.requests.append(REQUEST.get())
        self.begun.set()
        assert self.release.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        return super().get(name, group=group)


@pytest.fixture
def held() -> Iterator[Held]:
    backend = Held()
    ss.SchedulerClient(backend).create(job())
    yield backend
    backend.release.set()
    backend.error = None  # whose traceback holds the client
    deadline = time.monotonic() + PATIENCE
    while any(thread.is_alive() for thread in backend.threads) and time.monotonic() < deadline:
        gc.collect()  # the clients, once no thread holds an exception of theirs; their threads then end
        threading.Event().wait(0.001)
    assert not any(thread.is_alive() for thread in backend.threads)
    backend.close()


def run(main: Coroutine[Any, Any, Answer]) -> Answer:
    """As ``asyncio.run``, in debug mode, with a bound."""
    return asyncio.run(asyncio.wait_for(main, PATIENCE), debug=True)


async def until(condition: Callable[[], object]) -> None:
    """Lets the loop go on until something holds."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.001)


def crew() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "stepsched-async"}


class TestVerbs:
    def test_a_life_of_jobs(self) -> None:
        async def main() -> None:
            async with ss.AsyncSchedulerClient() as client:
                assert (await client.create(job())).version == 1
                assert [each.name for each in await client.create_many([job("b"), job("a")])] == ["b", "a"]
                assert [each.name for each in await client.list(status="active")] == ["a", "b", "job"]
                changed = await client.update(job(description="changed"), expected_version=1)
                assert await client.get("job", group="default") == changed
                assert [each.version for each in await client.versions("job")] == [1]
                assert (await client.pause("job")).status is ss.JobStatus.PAUSED
                assert (await client.resume("job")).status is ss.JobStatus.ACTIVE
                plan = await client.plan([job("c")], prune=True)
                assert len((await client.apply(plan)).cancel) == 3
                assert [each.name for each in await client.list()] == ["c"]
                assert await client.repair() == []
                assert await client.dead_letters() == []
                assert (await client.cancel("c")).status is ss.JobStatus.CANCELLED

        run(main())

    def test_a_run_is_waited_for_while_the_loop_goes_on(self) -> None:
        release = threading.Event()

        async def main() -> None:
            async with ss.AsyncSchedulerClient() as client:
                await client.create(job(target=ss.HandlerTarget(lambda: release.wait(PATIENCE))))
                waiting = asyncio.create_task(client.wait(await client.run_now("job")))
                await asyncio.sleep(0.05)
                assert not waiting.done()
                release.set()
                assert (await waiting).output == "true"
                assert await client.runs("job", status="succeeded") == [await waiting]

        run(main())

    def test_a_wait_sleeps_in_the_loop_and_keeps_no_thread(self) -> None:
        backend = ss.LocalBackend()

        async def main() -> None:
            client = ss.AsyncSchedulerClient(backend)
            await client.create(job())
            waits = [client.wait(await client.run_now("job"), timeout=30) for _ in range(50)]
            tasks = [asyncio.create_task(wait) for wait in waits]
            await asyncio.sleep(0.1)
            assert (await client.get("job")).name  # although more wait than there are threads
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            with pytest.raises(ss.errors.WaitTimeoutError):
                await client.wait(await client.run_now("job"), timeout=0)

        run(main())
        backend.close()

    def test_streams_are_read_with_async_for(self) -> None:
        async def main() -> None:
            async with ss.AsyncSchedulerClient() as client:
                names = [f"job-{number:03}" for number in range(2 * aio._BATCH + 1)]
                await client.create_many([job(name) for name in names])
                assert sorted([record.name async for record in client.iterate()]) == names
                assert [record.name async for record in client.iterate(name_prefix="job-007")] == ["job-007"]
                upcoming = [each.job.name async for each in client.upcoming(limit=2 * len(names))]
                assert upcoming == names * 2
                with pytest.raises(ValueError, match="expected an end of the runs"):
                    async for _ in client.upcoming():
                        pass
                with pytest.raises(TypeError, match="expected a string for group"):
                    async for _ in client.iterate(group=5):  # type: ignore[arg-type]
                        pass

        run(main())

    def test_what_a_verb_raises_is_raised_where_it_is_awaited(self) -> None:
        async def main() -> None:
            async with ss.AsyncSchedulerClient() as client:
                with pytest.raises(ss.JobNotFoundError):
                    await client.get("nobody")
                with pytest.raises(TypeError, match="expected a Run"):
                    await client.wait("job")  # type: ignore[arg-type]
                with pytest.raises(TypeError, match="colour"):
                    await client.get("job", colour="red")  # type: ignore[call-arg]
                with pytest.raises(TypeError, match="expected timeout"):
                    await client.close(timeout="5")  # type: ignore[arg-type]
                assert await client.list() == []  # so that it is still open

        run(main())

    def test_a_stop_iteration_of_a_backend_hangs_nobody(self, held: Held) -> None:
        held.error = StopIteration()
        held.release.set()

        async def main() -> None:
            with pytest.raises(RuntimeError, match="the backend raised StopIteration"):
                await ss.AsyncSchedulerClient(held).get("job")

        run(main())

    def test_context_variables_cross_over(self, held: Held) -> None:
        held.release.set()

        async def ask(client: ss.AsyncSchedulerClient, request: str) -> None:
            REQUEST.set(request)
            await client.get("job")

        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            await asyncio.gather(*(ask(client, f"request-{number}") for number in range(20)))

        run(main())
        assert sorted(held.requests) == sorted(f"request-{number}" for number in range(20))

    def test_what_is_no_backend_is_refused_and_the_backend_can_be_seen(self, held: Held) -> None:
        with pytest.raises(TypeError, match="expected a backend"):
            ss.AsyncSchedulerClient("jobs.db")  # type: ignore[arg-type]
        client = ss.AsyncSchedulerClient(held)
        assert client.backend is held
        assert repr(client) == f"AsyncSchedulerClient({held!r})"


class TestThreads:
    def test_many_calls_go_on_in_few_daemon_threads_while_the_loop_goes_on(self, held: Held) -> None:
        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            calls = [asyncio.create_task(client.get("job")) for _ in range(50)]
            await until(lambda: len(held.asked) == aio._THREADS)
            for _ in range(20):
                await asyncio.sleep(0)  # the loop takes turns, and no more calls begin
            assert len(held.asked) == aio._THREADS
            held.release.set()
            assert {record.name for record in await asyncio.gather(*calls)} == {"job"}

        run(main())
        assert len(held.asked) == 50
        assert len(held.threads) == aio._THREADS
        assert all(thread.daemon for thread in held.threads)

    def test_no_more_calls_begin_than_there_are_threads_before_the_loop_takes_a_turn(
        self, held: Held
    ) -> None:
        """So that calls which keep the interpreter busy keep the loop from its turn only for so long."""

        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            calls = [asyncio.create_task(client.get("job")) for _ in range(50)]
            await until(lambda: len(held.asked) == aio._THREADS)
            held.release.set()
            threading.Event().wait(0.1)  # the loop stands still
            assert len(held.asked) == aio._THREADS
            await asyncio.gather(*calls)

        run(main())
        assert len(held.asked) == 50

    def test_one_client_serves_loop_after_loop(self, held: Held) -> None:
        held.release.set()
        client = ss.AsyncSchedulerClient(held)

        async def main() -> None:
            await asyncio.gather(*(client.get("job") for _ in range(3 * aio._THREADS)))

        run(main())
        run(main())
        assert len(held.asked) == 6 * aio._THREADS

    def test_the_threads_end_with_the_client(self) -> None:
        before = crew()

        async def main() -> set[threading.Thread]:
            async with ss.AsyncSchedulerClient() as client:
                await client.list()
                return crew() - before

        for thread in run(main()):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def cancellation(error: BaseException) -> ss.CallCancelledError:
    """The word on a cancelled call: the error itself, or the cause of it on older versions of Python."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ss.CallCancelledError):
        found = found.__cause__ or found.__context__
    assert isinstance(found, ss.CallCancelledError)
    return found


class TestCancelled:
    def test_a_call_that_has_begun_answers_at_once_and_may_happen(
        self, held: Held, caplog: pytest.LogCaptureFixture
    ) -> None:
        caught = list[Any]()

        async def ask() -> None:
            try:
                await ss.AsyncSchedulerClient(held).get("job")
            except asyncio.CancelledError as error:
                caught.append(error)
                raise

        async def main() -> None:
            task = asyncio.create_task(ask())
            await until(held.begun.is_set)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

        run(main())
        assert not held.release.is_set()
        held.release.set()
        error = caught.pop()
        assert (error.call, error.may_have_happened) == ("get", True)
        assert str(error) == "get() was cancelled after it had begun: it may have happened, or happen yet"
        assert cancellation(error).args == ("get", True)
        assert caplog.messages == []

    def test_a_call_that_waits_for_its_turn_is_withdrawn(self, held: Held) -> None:
        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            others = [asyncio.create_task(client.get("job")) for _ in range(aio._THREADS)]
            await until(lambda: len(held.asked) == aio._THREADS)
            call = asyncio.create_task(client.get("withdrawn"))
            await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            word = cancellation(caught.value)
            assert (word.call, word.may_have_happened) == ("get", False)
            assert str(word) == "get() was cancelled before it began: nothing has happened"
            held.release.set()
            await asyncio.gather(*others)
            await client.get("job")

        run(main())
        assert "withdrawn" not in held.asked

    def test_so_is_one_that_waits_for_a_thread(self, held: Held) -> None:
        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            given_up = [asyncio.create_task(client.get("job")) for _ in range(aio._THREADS)]
            await until(lambda: len(held.asked) == aio._THREADS)
            for each in given_up:
                each.cancel()
            await asyncio.wait(given_up)  # the threads are still held
            call = asyncio.create_task(client.get("withdrawn"))
            await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            assert not cancellation(caught.value).may_have_happened
            held.release.set()
            await client.get("job")

        run(main())
        assert "withdrawn" not in held.asked

    def test_what_it_raises_later_is_logged(self, held: Held, caplog: pytest.LogCaptureFixture) -> None:
        held.error = ss.JobNotFoundError("job")

        async def main() -> None:
            call = asyncio.create_task(ss.AsyncSchedulerClient(held).get("job"))
            await until(held.begun.is_set)
            call.cancel()
            await asyncio.wait([call])
            held.release.set()
            await until(lambda: caplog.records)

        run(main())
        (record,) = caplog.records
        assert (record.levelno, record.name) == (logging.WARNING, "stepsched.aio")
        assert record.getMessage().startswith("get() failed after it had been cancelled: no job is named ")
        assert record.exc_info is not None
        assert record.exc_info[1] is held.error

    def test_a_time_out_is_a_time_out(self, held: Held) -> None:
        async def inside(client: ss.AsyncSchedulerClient) -> None:
            async with vars(asyncio)["timeout"](0.5):
                await client.get("job")

        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            with pytest.raises(asyncio.TimeoutError) as caught:
                await asyncio.wait_for(client.get("job"), 0.5)
            assert cancellation(caught.value).may_have_happened
            if sys.version_info >= (3, 11):
                with pytest.raises(TimeoutError) as also:
                    await inside(client)
                assert cancellation(also.value).may_have_happened

        run(main())

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="there is no TaskGroup")
    def test_a_task_group_ends_with_the_error_that_ended_it(self, held: Held) -> None:
        async def fail() -> None:
            await until(held.begun.is_set)
            raise ZeroDivisionError

        async def together(client: ss.AsyncSchedulerClient) -> None:
            group: Any
            async with vars(asyncio)["TaskGroup"]() as group:
                group.create_task(client.get("job"))
                group.create_task(fail())
                await client.get("job")  # in the group's own task

        async def main() -> None:
            with pytest.raises(vars(builtins)["ExceptionGroup"]) as caught:
                await together(ss.AsyncSchedulerClient(held))
            errors: Any = caught.value
            assert [type(each) for each in errors.exceptions] == [ZeroDivisionError]

        run(main())

    @pytest.mark.parametrize("has_begun", [True, False])
    def test_where_asyncio_knows_no_subclass_a_plain_error_says_the_same(self, has_begun: bool) -> None:
        first = asyncio.CancelledError()
        ours: BaseException = aio._cancelled("get", first, has_begun=has_begun, knows_subclasses=True)
        assert type(ours) is ss.CallCancelledError
        assert ours.__cause__ is first
        plain: Any = aio._cancelled("get", first, has_begun=has_begun, knows_subclasses=False)
        assert (plain.call, plain.may_have_happened) == ("get", has_begun)
        assert type(plain) is asyncio.CancelledError
        assert str(plain) == str(plain.__cause__) == str(ours)
        assert type(plain.__cause__) is ss.CallCancelledError

    def test_the_error_pickles_to_itself(self) -> None:
        again = pickle.loads(pickle.dumps(ss.CallCancelledError("get", True)))
        assert (again.call, again.may_have_happened, again.args) == ("get", True, ("get", True))
        assert not issubclass(ss.CallCancelledError, Exception)  # which would be taken for a failure


class Streamed(ss.LocalBackend):
    """A backend whose list says how far it was read, and when it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.closed = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def list(self, query: JobQuery) -> Iterator[ss.JobRecord]:
        record = ss.JobRecord(
            job=job(), status="active", version=1, created_at=T0, updated_at=T0, next_run=None
        )
        try:
            while True:
                self.read += 1
                assert self.release.wait(PATIENCE)
                yield record
        finally:
            self.closed.set()


class TestStreams:
    def test_no_more_is_read_ahead_than_a_batch(self) -> None:
        backend = Streamed()

        async def main() -> None:
            client = ss.AsyncSchedulerClient(backend)
            stream = client.iterate()
            assert (await anext_(stream)).name == "job"
            assert backend.read == aio._BATCH
            await close(stream)
            await until(backend.closed.is_set)

        run(main())
        backend.close()

    def test_a_stream_whose_reader_is_cancelled_is_closed_once_the_read_has_ended(self) -> None:
        backend = Streamed()
        backend.release.clear()

        async def main() -> None:
            client = ss.AsyncSchedulerClient(backend)

            async def read() -> None:
                async for _ in client.iterate():
                    pass

            reader = asyncio.create_task(read())
            await until(lambda: backend.read)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await reader
            assert cancellation(caught.value).call == "iterate"
            assert not backend.closed.is_set()
            backend.release.set()
            await until(backend.closed.is_set)

        run(main())
        assert backend.read == aio._BATCH
        backend.close()


async def anext_(stream: AsyncIterator[Answer]) -> Answer:
    return await stream.__anext__()


async def close(stream: AsyncIterator[object]) -> None:
    assert inspect.isasyncgen(stream)
    await stream.aclose()


class Noted(ss.LocalBackend):
    """A backend that notes the calls of its life, and in which thread they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = list[tuple[str, object]]()
        self.threads = set[threading.Thread]()
        self.release = threading.Event()
        self.release.set()

    def note(self, what: str, value: object = None) -> None:
        self.notes.append((what, value))
        self.threads.add(threading.current_thread())
        assert self.release.wait(PATIENCE)

    def start(self) -> None:
        self.note("start")

    def stop(self, *, timeout: timedelta | float | None = None) -> None:
        self.note("stop", timeout)

    def close(self, *, timeout: timedelta | float | None = None) -> None:
        self.note("close", timeout)
        super().close(timeout=timeout)


class TestLife:
    def test_it_closes_the_backend_that_it_made(self) -> None:
        async def main() -> None:
            async with ss.AsyncSchedulerClient() as client:
                await client.create(job(target=ss.HandlerTarget(quick)))
                ended = await client.wait(await client.run_now("job"))  # so that it fires
                assert ended.output == '"done"'
            with pytest.raises(ss.BackendError):
                await client.list()
            await client.close()

        run(main())

    def test_it_stops_a_backend_that_was_handed_in_and_blocks_the_loop_with_neither(self) -> None:
        backend = Noted()

        async def main() -> None:
            async with ss.AsyncSchedulerClient(backend) as client:
                assert backend.notes == [("start", None)]
                backend.release.clear()
                leaving = asyncio.create_task(client.__aexit__(None, None, None))
                await until(lambda: len(backend.notes) == 2)
                await asyncio.sleep(0.01)
                assert not leaving.done()
                backend.release.set()
                await leaving
            assert await client.list() == []

        run(main())
        assert backend.notes == [("start", None), ("stop", None)]
        assert threading.main_thread() not in backend.threads
        backend.close()

    def test_leaving_does_not_queue_behind_calls_that_go_on(self, held: Held) -> None:
        async def main() -> None:
            client = ss.AsyncSchedulerClient(held)
            async with client:
                calls = [asyncio.create_task(client.get("job")) for _ in range(2 * aio._THREADS)]
                await until(lambda: len(held.asked) == aio._THREADS)
            held.release.set()
            await asyncio.gather(*calls)

        run(main())
        assert len(held.asked) == 2 * aio._THREADS

    def test_close_takes_a_timeout_as_the_sync_one_does(self) -> None:
        backend = Noted()

        async def main() -> None:
            client = ss.AsyncSchedulerClient(backend)
            await client.close(timeout=1)
            assert backend.notes == []
            await client.__aenter__()
            await client.close(timeout=timedelta(seconds=3))

        run(main())
        assert backend.notes == [("start", None), ("stop", timedelta(seconds=3))]
        backend.close()

    @pytest.mark.parametrize("whole", ["client", "backend"])
    def test_coroutines_of_handlers_run_on_the_loop_that_it_was_entered_on(self, whole: str) -> None:
        loops = list[asyncio.AbstractEventLoop]()

        async def handler() -> None:
            loops.append(asyncio.get_running_loop())

        async def fire(client: ss.AsyncSchedulerClient) -> None:
            await client.wait(await client.run_now("job"), timeout=PATIENCE)

        async def main(backend: ss.LocalBackend) -> None:
            client = ss.AsyncSchedulerClient(backend)
            await client.create(job(target=ss.HandlerTarget(handler)))
            async with client if whole == "client" else backend:
                await fire(client)
                assert loops == [asyncio.get_running_loop()]
                if whole == "client":  # another one, which was not entered, takes nothing away
                    await ss.AsyncSchedulerClient(backend).close()
                    await fire(client)
                    assert loops[1] is loops[0]
            if whole == "client":
                backend.start()
                await fire(client)
                assert loops[-1] is not loops[0]

        backend = ss.LocalBackend()
        run(main(backend))
        backend.close()


class Stack:
    """A session of boto3 in an account with one stack."""

    def __init__(self) -> None:
        self.open = list[str]()

    def client(self, name: str, **_: object) -> Any:
        self.open.append(name)
        outputs = {
            "StateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:runner",
            "TableName": "jobs",
        }
        stack = {"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]}

        class Client:
            class meta:  # noqa: N801 -- as boto3 calls it
                region_name = "eu-west-1"

            def describe_stacks(client, **_: object) -> dict[str, object]:  # noqa: N805 -- self is the session
                return {"Stacks": [stack]}

            def close(client) -> None:  # noqa: N805 -- as above
                self.open.remove(name)

        return Client()


def test_a_client_of_a_stack_is_awaited_and_closes_what_it_has_made() -> None:
    session = Stack()

    async def main() -> None:
        async with await ss.AsyncSchedulerClient.from_stack("jobs", session=session) as client:
            assert isinstance(client, ss.AsyncSchedulerClient)
            assert isinstance(client.backend, ss.StepFunctionsBackend)
            assert client.backend.table_name == "jobs"
            assert sorted(session.open) == ["dynamodb", "stepfunctions"]

    run(main())
    assert session.open == []
