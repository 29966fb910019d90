"""Several messages in one run: what a target holds, and what each backend does with it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.asl.budget import MAX_EVENTS, way_through
from stepsched.backends.eventbridge.checks import check_job
from stepsched.backends.eventbridge.documents import Settings
from stepsched.backends.eventbridge.targets import read_target, write_target
from stepsched.backends.local.parts import Parts
from stepsched.backends.stepfunctions.instructions import instructions_of
from stepsched.machines.fan_out import batches_of
from stepsched.machines.shared.runner import CALLS, event_limit, events, runner
from stepsched.testing import FakeClock
from tests.parts.jsonata_engine import JsonataEngine

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
STANDARD = "arn:aws:sqs:eu-west-1:123456789012:tasks"
FIFO = f"{STANDARD}.fifo"
RUN = ss.Run(id=7, job="job", scheduled_for=NOON, status=ss.RunStatus.RUNNING, attempt=1)
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/tasks"
HELLO = ss.FanOutTarget(FIFO, ["Hello #1!", "Hello #2!", "Hello #1!"], message_group_id="1337")


def job(target: ss.Target = HELLO, **changes: Any) -> ss.Job:
    return ss.Job(name="job", schedule=ss.Rate(HOUR, start=NOON), target=target).replace(**changes)


def texts(count: int) -> list[str]:
    return [f"task {number % 7}" for number in range(count)]


class TestValue:
    def test_order_and_equal_messages_stay(self) -> None:
        assert HELLO.messages == ("Hello #1!", "Hello #2!", "Hello #1!")
        again = ss.FanOutTarget.model_validate_json(HELLO.model_dump_json())
        assert again == HELLO
        assert json.loads(HELLO.model_dump_json()) == {
            "kind": "fan_out",
            "queue_arn": FIFO,
            "messages": ["Hello #1!", "Hello #2!", "Hello #1!"],
            "message_group_id": "1337",
        }

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            pytest.param({"messages": []}, "at least 1 item", id="none"),
            pytest.param({"messages": ["a"] * 10_001}, "at most 10000 items", id="too many"),
            pytest.param(
                {"messages": "hello"}, "expected a list of texts for messages, got 'hello'", id="text"
            ),
            pytest.param({"messages": {"a": 1}}, "expected a list of texts for messages", id="mapping"),
            pytest.param({"messages": 5}, "expected a list of texts for messages, got 5", id="number"),
            pytest.param({"messages": [5]}, r"messages\.0\n  Input should be a valid string", id="item"),
            pytest.param(
                {"messages": ["a", ""]}, r"1 to 1,048,576 bytes, got 0 in messages\[1\]", id="empty message"
            ),
            pytest.param(
                {"messages": ["é" * 524_289]}, r"1 to 1,048,576 bytes, got 1,048,578 in", id="large message"
            ),
            pytest.param(
                {"messages": ["a\x00b"]},
                r"messages\[0\]: Amazon SQS does not allow the character '\\x00'",
                id="forbidden character",
            ),
            pytest.param({"messages": ["\ud800"]}, "half of a surrogate pair", id="half a character"),
            pytest.param(
                {"queue_arn": FIFO},
                "expected message_group_id for the FIFO queue .*, got None",
                id="no group",
            ),
            pytest.param(
                {"message_group_id": "g"}, "expected no message_group_id for the standard", id="group"
            ),
            pytest.param(
                {"queue_arn": FIFO, "message_group_id": "a b"}, "got the character ' '", id="bad group"
            ),
            pytest.param({"queue_arn": URL}, "is not an ARN; the form is", id="URL"),
            pytest.param(
                {"messages": Path("tasks.txt")},
                r"got the path 'tasks.txt'; use FanOutTarget.from_file\(queue_arn, path\)",
                id="path",
            ),
        ],
    )
    def test_what_the_queue_would_refuse_is_refused(self, arguments: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            ss.FanOutTarget(**{"queue_arn": STANDARD, "messages": ["a"], **arguments})

    def test_the_largest_message_is_accepted(self) -> None:
        assert len(ss.FanOutTarget(STANDARD, ["a" * 1_048_576] * 2).messages) == 2

    @pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
    def test_batches_are_of_ten(self, count: int, sizes: list[int]) -> None:
        target = HELLO.replace(messages=texts(count))
        batches = target.batches()
        assert [len(batch.messages) for batch in batches] == sizes
        assert [text for batch in batches for text in batch.messages] == texts(count)
        assert {(batch.queue_arn, batch.message_group_id) for batch in batches} == {(FIFO, "1337")}
        assert batches_of(target) == len(sizes)

    @pytest.mark.parametrize("size", [0, -1, True, 2.5, "10"])
    def test_a_size_of_batches_is_a_number_from_one(self, size: Any) -> None:
        with pytest.raises(ValueError, match=r"expected a whole number of at least [01] for size, got"):
            HELLO.batches(size)


class TestFile:
    def read(self, tmp_path: Path, content: bytes) -> tuple[str, ...]:
        path = tmp_path / "tasks.txt"
        path.write_bytes(content)
        target = ss.FanOutTarget.from_file(STANDARD, path)
        assert target == ss.FanOutTarget.from_file(STANDARD, str(path))
        return target.messages

    @pytest.mark.parametrize(
        ("content", "messages"),
        [
            pytest.param(b"a\nb\na", ("a", "b", "a"), id="no end of line"),
            pytest.param(b"a\r\nb\r\n", ("a", "b"), id="of Windows"),
            pytest.param(b"\xef\xbb\xbfa\n", ("a",), id="byte order mark"),
            pytest.param(b"\n \n\t\na\n\n", ("a",), id="lines of white space"),
            pytest.param(b"  a \n", ("  a ",), id="white space around"),
            pytest.param("a\u2028b\x85c\n".encode(), ("a\u2028b\x85c",), id="other separators"),
        ],
    )
    def test_each_line_is_a_message(self, tmp_path: Path, content: bytes, messages: tuple[str, ...]) -> None:
        assert self.read(tmp_path, content) == messages

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ss.errors.JobFileError, match=r"^cannot read messages from .*: it is not UTF-8"):
            self.read(tmp_path, b"\xff")
        with pytest.raises(ss.errors.JobFileError, match=r"^cannot read messages from .*no\.txt: No such"):
            ss.FanOutTarget.from_file(STANDARD, tmp_path / "no.txt")
        with pytest.raises(ss.errors.JobFileError, match=r"^cannot read messages from : expected the path"):
            ss.FanOutTarget.from_file(STANDARD, "")

    def test_a_file_without_a_message_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="at least 1 item"):
            self.read(tmp_path, b"\n")


class TestInput:
    """The job takes no input."""

    REASON = "takes no input of the job"

    @pytest.mark.parametrize("payload", [{"a": 1}, "text", None, []])
    def test_is_refused_on_every_backend(self, payload: Any) -> None:
        given = job(HELLO, input=payload)
        backend = ss.LocalBackend(handlers={ss.FanOutTarget: print})
        with closing(backend), pytest.raises(ss.UnsupportedError, match=self.REASON):
            ss.SchedulerClient(backend).create(given)
        with pytest.raises(ss.UnsupportedError, match=self.REASON):
            check_job(given, Settings(role_arn=None), region="eu-west-1", partition="aws")
        with pytest.raises(ss.UnsupportedError, match=self.REASON):
            instructions(given)
        with pytest.raises(ss.RenderError, match=self.REASON):
            ss.render_asl(given)


# -- EventBridge Scheduler ----------------------------------------------------------------------------------


def check(given: ss.Job) -> None:
    check_job(given, Settings(role_arn=None), region="eu-west-1", partition="aws")


class TestSchedule:
    def test_is_one_call_with_an_id_for_each_position(self) -> None:
        wire = write_target(HELLO, {}, "job")
        assert wire.arn == "arn:aws:scheduler:::aws-sdk:sqs:sendMessageBatch"
        assert json.loads(wire.input) == {
            "QueueUrl": f"{URL}.fifo",
            "Entries": [
                {
                    "Id": str(number),
                    "MessageBody": text,
                    "MessageGroupId": "1337",
                    "MessageDeduplicationId": f"<aws.scheduler.execution-id>-{number}",
                }
                for number, text in enumerate(HELLO.messages)
            ],
        }

    def test_of_a_standard_queue_has_no_ids(self) -> None:
        wire = write_target(ss.FanOutTarget(STANDARD, ["a"]), {}, "job")
        assert json.loads(wire.input)["Entries"] == [{"Id": "0", "MessageBody": "a"}]

    @pytest.mark.parametrize("count", [11, 10_000])
    def test_of_more_than_a_batch_is_refused_with_what_would_do(self, count: int) -> None:
        target = ss.FanOutTarget(STANDARD, texts(count))
        with pytest.raises(ss.UnsupportedError, match=f"at most 10 messages, got {count:,}") as refused:
            check(job(target))
        assert refused.value.alternatives == (
            "one job for each of target.batches()",
            "render_asl(job) gives a state machine that does that",
            "StepFunctionsBackend",
            "LocalBackend",
        )
        for batch in target.batches():
            check(job(batch))

    def test_of_too_many_bytes_is_refused(self) -> None:
        with pytest.raises(ss.UnsupportedError, match=r"sqs:sendMessageBatch of at most 262,144 bytes, got"):
            check(job(ss.FanOutTarget(STANDARD, ["a" * 30_000] * 9)))
        check(job(ss.FanOutTarget(STANDARD, ["a" * 29_000] * 9)))

    def test_text_that_the_service_would_replace_is_refused(self) -> None:
        target = ss.FanOutTarget(STANDARD, ["at <aws.scheduler.scheduled-time>"])
        with pytest.raises(ss.UnsupportedError, match="looks like a context attribute"):
            check(job(target))
        with pytest.raises(ss.UnsupportedError, match=r"messages\[0\] .*looks like a context attribute"):
            instructions(job(target))

    def test_a_queue_of_another_region_is_refused(self) -> None:
        with pytest.raises(ss.UnsupportedError, match="the target is in eu-central-1 and the backend in"):
            check(job(ss.FanOutTarget(STANDARD.replace("eu-west-1", "eu-central-1"), ["a"])))

    @pytest.mark.parametrize(
        "change",
        [
            lambda request: request["Entries"][0].update(Id="x"),
            lambda request: request["Entries"][1].update(MessageGroupId="other"),
            lambda request: request["Entries"][1].pop("MessageDeduplicationId"),
            lambda request: request["Entries"][0].update(DelaySeconds=5),
            lambda request: request.update(QueueUrl="https://example.com/q"),
            lambda request: request.update(Entries=[]),
            lambda request: request.update(Entries="<aws.scheduler.execution-id>"),
            lambda request: request.pop("Entries"),
        ],
    )
    def test_that_somebody_has_changed_is_read_as_its_call(self, change: Callable[[Any], object]) -> None:
        wire = write_target(HELLO, {}, "job")
        request = json.loads(wire.input)
        change(request)
        target, _ = read_target({"Arn": wire.arn, "Input": json.dumps(request)}, {"target": "fan_out"}, "job")
        assert isinstance(target, ss.ApiTarget)


# -- state machines -----------------------------------------------------------------------------------------


def instructions(given: ss.Job) -> dict[str, Any]:
    return instructions_of(given, anchor=NOON, version=1, retention=timedelta(days=1), calls=CALLS)


class Queue:
    """A queue that refuses some messages, each a number of times."""

    def __init__(self, refusals: Mapping[str, int]) -> None:
        self.refusals = dict(refusals)
        self.calls = list[list[str]]()
        self.accepted = list[dict[str, str]]()

    def send(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        assert arguments["QueueUrl"].startswith(URL)
        entries = arguments["Entries"]
        self.calls.append([each["Id"] for each in entries])
        assert 1 <= len(entries) <= 10
        failed = [each for each in entries if self.refusals.get(each["Id"], 0) > 0]
        for each in failed:
            self.refusals[each["Id"]] -= 1
        sent = [each for each in entries if each not in failed]
        self.accepted += sent
        answer: dict[str, Any] = {"Successful": [{"Id": each["Id"], "MessageId": "m"} for each in sent]}
        if failed:
            answer["Failed"] = [
                {"Id": each["Id"], "Code": "InternalError", "Message": "no luck", "SenderFault": False}
                for each in failed
            ]
        return answer


class Play:
    """Plays the states of one run, by the reference engine of JSONata; all pauses are over at once."""

    DUE = "2030-01-01T12:00:00Z"

    def __init__(self, engine: JsonataEngine, states: Mapping[str, Any], variables: dict[str, Any]) -> None:
        self.engine, self.states, self.queue = engine, states, Queue({})
        self.variables: dict[str, Any] = {"due": self.DUE, "attempt": 0, "spent": 0, **variables}
        self.variables["key"] = f"run#{self.DUE}#token"
        self.failures = list[dict[str, Any]]()
        self.visited = list[str]()

    def value(self, written: Any, states: Mapping[str, Any]) -> Any:
        match written:
            case dict():
                return {key: self.value(item, states) for key, item in written.items()}
            case list():
                return [self.value(item, states) for item in written]
            case str() if written.startswith("{%"):
                return self.engine.evaluate(written[2:-2], self.variables | {"states": states})
        return written

    def assign(self, written: Mapping[str, Any], **states: Any) -> None:
        given = {"context": {"Execution": {"Id": "arn", "Name": "name"}}, **states}
        self.variables |= {name: self.value(item, given) for name, item in written.items()}

    def run(self, name: str, until: str) -> None:
        while name != until:
            self.visited.append(name)
            state = self.states[name]
            match state["Type"]:
                case "Task":
                    answer = self.queue.send(self.value(state["Arguments"], {}))
                    self.assign(state["Assign"], result=answer)
                    name = state["Next"]
                case "Choice" if name.startswith("Try again"):
                    self.failures.append(dict(self.variables["failure"]))
                    name = "Pause"
                case "Choice":
                    rules = [rule for rule in state["Choices"] if self.value(rule["Condition"], {}) is True]
                    chosen = rules[0] if rules else {"Next": state["Default"]}
                    self.assign(chosen.get("Assign", {}))
                    name = chosen["Next"]
                case "Pass" | "Wait":
                    name = state["Next"]


def runner_play(engine: JsonataEngine, given: ss.Job) -> Play:
    states = runner("jobs").to_dict()["States"]
    return Play(engine, states, {"job": instructions(given)})


def rendered_play(engine: JsonataEngine, given: ss.Job) -> Play:
    states = ss.render_asl(given).to_dict()["States"]
    play = Play(engine, states, {})
    play.assign(states["Sleep"]["Assign"])
    return play


PLAYS: dict[str, tuple[Callable[[JsonataEngine, ss.Job], Play], str, str]] = {
    "runner": (runner_play, "Route", "Record"),
    "rendered": (rendered_play, "Run", "Sent"),
}
each_play = pytest.mark.parametrize("machine", PLAYS)


class TestMachines:
    @each_play
    @pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 20, 25, 31])
    def test_send_all_in_order_in_batches(
        self, jsonata_engine: JsonataEngine, machine: str, count: int
    ) -> None:
        make, first, last = PLAYS[machine]
        play = make(jsonata_engine, job(HELLO.replace(messages=texts(count))))
        play.run(first, last)
        assert [each["MessageBody"] for each in play.queue.accepted] == texts(count)
        assert [len(call) for call in play.queue.calls] == [
            min(10, count - sent) for sent in range(0, count, 10)
        ]
        assert {each["MessageGroupId"] for each in play.queue.accepted} == {"1337"}
        ids = [each["MessageDeduplicationId"] for each in play.queue.accepted]
        assert len({each.rpartition("/")[0] for each in ids}) == 1
        assert [each.rpartition("/")[2] for each in ids] == [str(number) for number in range(count)]
        assert all(len(each) <= 128 for each in ids)

    @each_play
    def test_give_messages_to_a_standard_queue_no_ids(
        self, jsonata_engine: JsonataEngine, machine: str
    ) -> None:
        make, first, last = PLAYS[machine]
        play = make(jsonata_engine, job(ss.FanOutTarget(STANDARD, ["{% x %}", 'it\'s "that" \\ {}\n'])))
        play.run(first, last)
        assert play.queue.accepted == [
            {"Id": "0", "MessageBody": "{% x %}"},
            {"Id": "1", "MessageBody": 'it\'s "that" \\ {}\n'},
        ]

    @each_play
    @pytest.mark.parametrize("seed", range(12))
    def test_lose_nothing_double_nothing_and_overtake_no_batch(
        self, jsonata_engine: JsonataEngine, machine: str, seed: int
    ) -> None:
        chance = random.Random(seed)
        count = chance.randint(1, 45)
        refusals = {str(number): chance.choice([0, 0, 0, 1, 2]) for number in range(count)}
        make, first, last = PLAYS[machine]
        play = make(jsonata_engine, job(HELLO.replace(messages=texts(count))))
        play.queue = Queue(refusals)
        play.run(first, last)
        assert sorted(int(each["Id"]) for each in play.queue.accepted) == list(range(count))
        assert [texts(count)[int(each["Id"])] for each in play.queue.accepted] == [
            each["MessageBody"] for each in play.queue.accepted
        ]
        batches = [{int(number) // 10 for number in call} for call in play.queue.calls]
        assert all(len(each) == 1 for each in batches)
        assert batches == sorted(batches, key=min)
        worst = [
            max(refusals[str(number)] for number in range(first, min(first + 10, count)))
            for first in range(0, count, 10)
        ]
        assert play.variables["attempt"] == len(play.failures) == sum(worst)
        assert len(play.queue.calls) == len(worst) + sum(worst)
        assert all(each["error"] == "Sqs.InternalError" for each in play.failures)
        assert all(each["cause"].endswith("]: no luck") for each in play.failures)
        assert [each["attempts"] for each in play.failures] == list(range(1, sum(worst) + 1))

    @each_play
    def test_do_not_take_silence_for_success(self, jsonata_engine: JsonataEngine, machine: str) -> None:
        """An entry that the answer does not mention is sent again."""
        make, first, last = PLAYS[machine]
        play = make(jsonata_engine, job(HELLO))
        send = play.queue.send
        answers: list[dict[str, Any]] = [{}, {"Successful": [{"Id": "1"}]}]
        play.queue.send = lambda arguments: answers.pop(0) if answers else send(arguments)  # type: ignore[method-assign]
        play.run(first, last)
        assert play.queue.calls == [["0", "2"]]
        assert [each["error"] for each in play.failures] == ["Stepsched.NotSent"] * 2

    def test_of_different_jobs_runs_and_parts_have_different_ids(self, jsonata_engine: JsonataEngine) -> None:
        found = list[str]()
        for name, token in (("job", ""), ("job", "#a"), ("job", "#b"), ("other", "")):
            play = runner_play(jsonata_engine, job(HELLO, name=name))
            play.variables["key"] = f"run#{Play.DUE}{token}"
            play.run("Route", "Record")
            found += [each["MessageDeduplicationId"] for each in play.queue.accepted]
        assert len(set(found)) == len(found) == 12

    @pytest.mark.parametrize("batches", [1, 2, 5, 40])
    def test_the_runner_spends_what_a_run_writes(self, jsonata_engine: JsonataEngine, batches: int) -> None:
        """All events of a run are counted before the next one is planned."""
        play = runner_play(jsonata_engine, job(HELLO.replace(messages=texts(10 * batches))))
        play.queue = Queue({"0": 2, "7": 1})
        play.run("Route", "Record")
        way = ["Plan", "More?", "Sleep", "Fence", *play.visited, "Record"]
        states = {name: state for name, state in play.states.items() if name in way}
        written = way_through(states, *way).events
        spent = events().run + play.variables["spent"]
        assert written <= spent <= written + 7 * (batches + 3)

    @pytest.mark.parametrize("batches", [0, 1, 10, 1_000])
    @pytest.mark.parametrize("retries", [0, 3, 185])
    def test_an_execution_has_room_for_the_longest_run(self, batches: int, retries: int) -> None:
        of = events()
        calls = batches + retries + 1 if batches else 0
        longest = of.run + retries * of.retry + 7 * calls + of.notification + of.lost_claim + of.renewal
        assert event_limit(retries, batches) + longest <= MAX_EVENTS

    def test_a_run_that_an_execution_cannot_hold_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"3,000 batches with 3 retries .* target\.batches\(\)"):
            event_limit(3, 3_000)

    def test_messages_that_do_not_fit_are_refused_with_what_would_do(self) -> None:
        large = job(ss.FanOutTarget(STANDARD, ["a" * 30_000] * 9))
        with pytest.raises(
            ss.UnsupportedError, match=r"at most 255,000 bytes, got .*one job for each of target\.batches"
        ):
            instructions(large)
        with pytest.raises(
            ss.RenderError, match=r"at most 260,144 bytes .*one job for each of target\.batch"
        ):
            ss.render_asl(large)
        small = job(ss.FanOutTarget(STANDARD, ["a" * 28_000] * 6))
        assert instructions(small)["call"] == "Send messages"
        assert ss.render_asl(small).check() == []

    def test_other_jobs_have_the_machine_that_they_had(self) -> None:
        plain = ss.deploy.template([ss.QueueTarget(STANDARD)])["Resources"]["Runner"]["Properties"]
        assert "unsent" not in json.dumps(plain)
        several = ss.deploy.template([HELLO])["Resources"]["Runner"]["Properties"]
        added = several["Definition"]["States"].keys() - plain["Definition"]["States"].keys()
        assert added == {"Send messages", "All sent?"}
        compact = json.dumps(ss.deploy.template([HELLO, ss.QueueTarget(STANDARD)]), separators=(",", ":"))
        assert len(compact.encode()) < 51_200


# -- in this process ----------------------------------------------------------------------------------------


class TestLocal:
    def handled(
        self, target: ss.Target, kind: Any, fail: Callable[[str, int], bool] = lambda *_: False
    ) -> tuple[list[tuple[object, str]], list[ss.Run]]:
        """The calls of the function that is registered for a kind, and the runs."""
        seen = list[tuple[object, str]]()

        def handle(given: object, text: str, run: ss.Run) -> str | None:
            seen.append((given, text))
            if fail(text, run.attempt):
                raise RuntimeError("no luck")
            return text.upper()

        backend = ss.LocalBackend(clock=FakeClock(NOON - HOUR), handlers={kind: handle})
        with closing(backend):
            client = ss.SchedulerClient(backend)
            client.create(job(target, retry=ss.Retry(max_attempts=2, interval=timedelta(seconds=1))))
            backend.run_until(NOON + HOUR / 2)
            return seen, client.runs("job")

    @pytest.mark.parametrize("kind", [ss.FanOutTarget, HELLO], ids=["class", "target"])
    def test_a_function_gets_each_message_in_order(self, kind: Any) -> None:
        seen, (run,) = self.handled(HELLO, kind)
        assert seen == [(HELLO, text) for text in HELLO.messages]
        assert (run.status, run.result) == (ss.RunStatus.SUCCEEDED, [text.upper() for text in HELLO.messages])

    @pytest.mark.parametrize("by_class", [True, False])
    def test_the_function_of_the_queue_gets_them_too(self, by_class: bool) -> None:
        queue = ss.QueueTarget(FIFO, message_group_id="1337")
        seen, _ = self.handled(HELLO, ss.QueueTarget if by_class else queue)
        assert seen == [(queue, text) for text in HELLO.messages]

    def test_without_a_function_it_is_refused(self) -> None:
        other = ss.QueueTarget(STANDARD)
        with pytest.raises(ss.UnsupportedError, match="no handler is registered for its FanOutTarget"):
            self.handled(HELLO, other)

    def test_another_attempt_begins_with_the_message_that_failed(self) -> None:
        target = ss.FanOutTarget(STANDARD, ["a", "b", "c", "a"])
        seen, (run,) = self.handled(
            target, ss.FanOutTarget, lambda text, attempt: text == "b" and attempt < 3
        )
        assert [text for _, text in seen] == ["a", "b", "b", "b", "c", "a"]
        assert (run.status, run.attempt) == (ss.RunStatus.SUCCEEDED, 3)

    def test_a_run_fails_when_a_message_has_failed_for_good(self) -> None:
        seen, (run,) = self.handled(HELLO, ss.FanOutTarget, lambda text, _: text == "Hello #2!")
        assert [text for _, text in seen] == ["Hello #1!", *["Hello #2!"] * 3]
        assert (run.status, run.attempt, run.error) == (ss.RunStatus.FAILED, 3, "RuntimeError: no luck")

    def test_two_parts_with_equal_messages_do_not_count_for_each_other(self) -> None:
        equal = ss.FanOutTarget(STANDARD, ["a", "b"])
        both = ss.ParallelTarget([equal, equal])
        seen, _ = self.handled(both, ss.FanOutTarget, lambda text, attempt: text == "b" and attempt == 1)
        assert sorted(text for _, text in seen) == ["a", "a", "b", "b", "b", "b"]

    def test_an_attempt_that_is_given_up_handles_no_further_message(self) -> None:
        """It took too long, and another attempt has begun with what is left."""
        memory, seen = Parts(None), list[tuple[int, str]]()
        target = ss.FanOutTarget(STANDARD, ["a", "b", "c"])

        def second(text: str) -> None:
            seen.append((2, text))

        def first(text: str) -> None:
            seen.append((1, text))
            if text == "b":
                memory.send(target, RUN.replace(attempt=2), 0, second)

        with pytest.raises(TimeoutError, match="the attempt has ended"):
            memory.send(target, RUN, 0, first)
        assert seen == [(1, "a"), (1, "b"), (2, "b"), (2, "c")]
        memory.forget(RUN)
        memory.send(target, RUN.replace(attempt=3), 0, second)
        assert [text for _, text in seen[4:]] == ["a", "b", "c"]
