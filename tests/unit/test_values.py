"""The base of every public value."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from datetime import timedelta
from enum import Enum
from importlib import import_module
from pkgutil import walk_packages
from typing import Annotated, Any

import pytest
from pydantic import PlainSerializer, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

import stepsched
import stepsched as ss
from stepsched.core.durations import seconds_of
from stepsched.core.enums import StrEnum
from stepsched.core.values import Value

BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
DAILY = ss.Cron("0 9 * * ? *")
TARGET = ss.CommandTarget(["true"])
VALUES = [
    pytest.param(ss.Rate(timedelta(minutes=5)), id="rate"),
    pytest.param(ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris"), id="one_time"),
    pytest.param(ss.Cron("0 9 ? * MON-FRI *", end="2031-01-01T00:00Z"), id="cron"),
    pytest.param(ss.Windowed("2030-01-31T09:00", every=ss.Frequency(months=1)), id="windowed"),
    pytest.param(ss.Frequency(weeks=2, hours=1), id="frequency"),
    pytest.param(ss.CommandTarget(["true"]), id="command"),
    pytest.param(ss.ApiTarget("ecs", "runTask", {"cluster": "c", "count": 1}), id="api"),
    pytest.param(ss.Retry(max_attempts=5), id="retry"),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_field_cannot_be_set_deleted_or_added(value: Value) -> None:
    name = next(iter(type(value).model_fields))
    before = value.model_dump()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(value, name, None)
    with pytest.raises(ValidationError, match="frozen"):
        delattr(value, name)
    with pytest.raises(ValidationError, match="frozen"):
        value.nickname = 1  # type: ignore[attr-defined]
    assert value.model_dump() == before


@pytest.mark.parametrize("value", VALUES)
def test_a_value_equals_its_copies_and_what_its_json_and_pickle_give_back(value: Value) -> None:
    assert copy(value) == value
    assert deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert type(value).model_validate_json(value.model_dump_json()) == value
    assert type(value).model_validate(value.model_dump()) == value
    assert type(value).model_validate(value.model_dump(mode="json")) == value


@pytest.mark.parametrize("value", VALUES)
def test_replace_without_changes_gives_an_equal_value(value: Value) -> None:
    again = value.replace()
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("value", VALUES)
def test_replace_names_an_unknown_field_and_those_that_exist(value: Value) -> None:
    with pytest.raises(
        ValueError, match=rf"^{type(value).__name__} has no field color, nickname; it has "
    ) as e:
        value.replace(nickname=1, color=2)
    assert all(name in str(e.value) for name in type(value).model_fields)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda: ss.Retry(attempts=3),  # type: ignore[call-arg]
            "Retry has no field attempts; it has max_attempts, .*, pauses; did you mean max_attempts?",
            id="similar",
        ),
        pytest.param(
            lambda: ss.Retry.model_validate_json('{"attempts": 3}'),
            "Retry has no field attempts; .*did you mean max_attempts?",
            id="document",
        ),
        pytest.param(
            lambda: ss.Job(name="n", schedule=DAILY, target=TARGET, misfire_grace_time=3),  # type: ignore[call-arg]
            "Job has no field misfire_grace_time; it has name, .*; use catch_up_within",
            id="job",
        ),
        pytest.param(
            lambda: ss.Job(name="n", schedule=DAILY, target=TARGET, retry={"attempts": 3}),
            "Retry has no field attempts; it has max_attempts",
            id="inside",
        ),
        pytest.param(
            lambda: ss.Cron("0 9 * * ? *", time_zone="UTC"),  # type: ignore[call-arg]
            "Cron has no field time_zone; it has .*; did you mean timezone?",
            id="constructor",
        ),
        pytest.param(
            lambda: ss.targets.EcsTaskTarget("c", task_definition="t"),  # type: ignore[call-arg]
            "EcsTaskTarget has no field task_definition; it has .*; did you mean task_definition_arn?",
            id="target",
        ),
        pytest.param(
            lambda: ss.asl.Wait(second=3, end=True),  # type: ignore[call-arg]
            "Wait has no field second; it has .*; did you mean seconds?",
            id="state",
        ),
    ],
)
def test_an_unknown_field_is_refused_with_the_fields_that_exist(
    make: Callable[[], object], words: str
) -> None:
    with pytest.raises((TypeError, ValidationError), match=words.replace("?", "[?]")):
        make()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ss.Retry, "^Retry takes keyword arguments only: max_attempts=..., max_age="),
        (ss.Job, "^Job takes keyword arguments only: name=..., schedule="),
    ],
)
def test_an_argument_without_keyword_is_refused_with_the_keywords(kind: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        kind("n", schedule=DAILY)


def test_a_constructor_that_lacks_an_argument_says_so_as_every_function() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        ss.CommandTarget()  # type: ignore[call-arg]


def test_replace_changes_only_what_is_named_and_leaves_the_original() -> None:
    target = ss.BatchTarget("report", job_queue="slow", parameters={"format": "pdf"})
    changed = target.replace(job_queue="fast")
    assert changed == ss.BatchTarget("report", job_queue="fast", parameters={"format": "pdf"})
    assert target == ss.BatchTarget("report", job_queue="slow", parameters={"format": "pdf"})


def test_replace_validates_in_the_words_of_the_constructor() -> None:
    """``model_copy(update=)`` would not validate."""
    with pytest.raises(ValidationError, match=r"'aws\.mine'") as replaced:
        ss.EventBusTarget(BUS).replace(source="aws.mine")
    with pytest.raises(ValidationError) as made:
        ss.EventBusTarget(BUS, source="aws.mine")
    assert str(replaced.value) == str(made.value)
    with pytest.raises(ValidationError, match=r"max_attempts\n.*greater than or equal to 0"):
        ss.Retry().replace(max_attempts=-1)
    with pytest.raises(ss.InvalidScheduleError, match="timezone: 'Paris' is not an IANA time zone"):
        ss.Cron("0 9 * * ? *").replace(timezone="Paris")


def test_replace_shares_no_mapping_with_the_original() -> None:
    target = ss.BatchTarget("report", job_queue="slow", parameters={"format": "pdf"})
    target.replace(job_queue="fast").parameters["format"] = "csv"
    assert target.parameters == {"format": "pdf"}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param({"bus_arn": BUS, "size": 3}, "unknown size", id="unknown"),
        pytest.param({"source": "a"}, "missing bus_arn", id="missing"),
        pytest.param({"bus": BUS}, "unknown bus; missing bus_arn", id="both"),
        pytest.param({"bus_arn": BUS, "b": 1, "a": 2}, "unknown a, b", id="in order"),
        pytest.param({}, "missing bus_arn", id="empty"),
        pytest.param({"bus_arn": BUS, 3: 4}, "unknown 3", id="key that is no text"),
    ],
)
def test_a_document_with_other_keys_is_refused_with_its_location(
    document: dict[str, object], problem: str
) -> None:
    """A constructor with named arguments would answer ``TypeError``, and nowhere."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(list[ss.EventBusTarget]).validate_python([{"bus_arn": BUS}, document])
    (error,) = refused.value.errors()
    assert error["loc"] == (1,)
    assert error["msg"] == (
        f"Value error, {problem}; EventBusTarget has the fields kind, bus_arn, detail_type, source"
    )


@pytest.mark.parametrize(
    ("fields", "location", "problem"),
    [
        pytest.param({"id": 1, "job": "j", "status": "failed"}, "scheduled_for", "required", id="missing"),
        pytest.param(
            {
                "id": 1,
                "job": "j",
                "status": "failed",
                "scheduled_for": "2030-01-01T00:00Z",
                "colour": "red",
            },
            "colour",
            "Run has no field",
            id="unknown",
        ),
    ],
)
def test_a_value_without_a_constructor_of_its_own_names_unknown_and_missing_fields(
    fields: dict[str, Any], location: str, problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem) as refused:
        ss.Run(**fields)
    assert [error["loc"] for error in refused.value.errors()] == [(location,)]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(None, id="none"),
        pytest.param(1, id="number"),
        pytest.param("0 9 * * ? *", id="text"),
        pytest.param(["0 9 * * ? *"], id="list"),
    ],
)
def test_what_is_no_mapping_is_no_value(document: object) -> None:
    with pytest.raises(ValidationError, match="dictionary or instance of Cron"):
        ss.Cron.model_validate(document)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(ss.Retry(), "Retry()", id="all defaults"),
        pytest.param(ss.Retry(max_attempts=5), "Retry(max_attempts=5)", id="one differs"),
        pytest.param(ss.Retry(max_attempts=ss.Retry().max_attempts), "Retry()", id="given as its default"),
        pytest.param(ss.CommandTarget(["true"]), "CommandTarget(command=('true',))", id="kind is left out"),
        pytest.param(ss.Cron("0 9 * * ? *"), "Cron(expression='cron(0 9 * * ? *)')", id="cron"),
    ],
)
def test_a_value_shows_only_what_differs_from_its_defaults(value: Value, shown: str) -> None:
    assert repr(value) == shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            ss.Cron("0 9 ? * mon-fri"), ss.Cron("cron(0 9 ? * MON-FRI *)"), id="cron in other letters"
        ),
        pytest.param(ss.Rate("PT60M"), ss.Rate(timedelta(hours=1)), id="rate in other units"),
        pytest.param(
            ss.OneTime("2030-01-01T09:00+01:00", timezone="Europe/Paris"),
            ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris"),
            id="one instant",
        ),
        pytest.param(
            ss.Windowed("2030-01-01T00:00", every=ss.Frequency(days=1)),
            ss.Windowed("2030-01-01T00:00Z", every=ss.Frequency(days=1)),
            id="windowed",
        ),
    ],
)
def test_equal_schedules_hash_alike(one: Value, other: Value) -> None:
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


def test_values_of_different_kinds_are_never_equal() -> None:
    cron: ss.Schedule = ss.Cron("0 0 * * ? *")
    daily: ss.Schedule = ss.Rate(timedelta(days=1))
    assert daily != cron
    others: list[object] = [{"max_attempts": 3}, ss.Frequency(days=3), None]
    assert ss.Retry(max_attempts=3) not in others


class TestSecondsOf:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [(0, 0.0), (3, 3.0), (0.5, 0.5), (timedelta(minutes=2), 120.0), (timedelta(0), 0.0), (None, None)],
        ids=str,
    )
    def test_a_number_of_seconds_a_timedelta_or_no_bound_is_read(
        self, value: timedelta | float | None, seconds: float | None
    ) -> None:
        assert seconds_of(value, "timeout") == seconds

    @pytest.mark.parametrize("value", [True, False, "5", "PT5S", b"5", [5], object], ids=repr)
    def test_what_is_no_length_of_time_is_a_type_error_that_says_what_is(self, value: Any) -> None:
        with pytest.raises(
            TypeError, match=r"expected timeout in seconds, a timedelta, or None .* got "
        ) as caught:
            seconds_of(value, "timeout")
        assert repr(value) in str(caught.value)

    @pytest.mark.parametrize(
        "value",
        [
            -1,
            -0.1,
            -1e-9,
            timedelta(microseconds=-1),
            float("nan"),
            float("inf"),
            -float("inf"),
            1e300,
            10**400,
        ],
        ids=lambda value: str(value)[:10],
    )
    def test_what_cannot_be_waited_for_is_a_value_error(self, value: timedelta | float) -> None:
        with pytest.raises(ValueError, match="expected grace of at least 0 seconds, got "):
            seconds_of(value, "grace")


def _enums() -> Iterator[type[Enum]]:
    """Every enum of words in the package, so that none is forgotten."""
    for module in walk_packages(stepsched.__path__, "stepsched.", onerror=lambda _: None):
        if "contract" in module.name or module.name.startswith(("stepsched.pytest_plugin", "stepsched.cdk")):
            continue
        for value in vars(import_module(module.name)).values():
            if not isinstance(value, type) or value.__module__ != module.name or value is StrEnum:
                continue
            if issubclass(value, Enum) and issubclass(value, str):
                yield value


def test_the_package_has_enums_to_look_at() -> None:
    assert {ss.JobStatus, ss.Overlap, ss.jobs.EventKind, ss.eventbridge.Metric} <= set(_enums())


@pytest.mark.parametrize("enum", list(_enums()), ids=lambda each: each.__name__)
def test_a_word_prints_as_it_is_written_and_shows_what_it_is(enum: type[Enum]) -> None:
    for word in enum:
        assert isinstance(word, str)
        assert (str(word), f"{word}", f"{word:>40}".strip(), f"{word!s}") == (word.value,) * 4
        assert type(str(word)) is str
        assert "%s" % word == word.value  # noqa: UP031 -- as loggers do
        assert repr(word) == f"<{enum.__name__}.{word.name}: {word.value!r}>"
        assert (json.dumps(word), json.loads(json.dumps({word: 1}))) == (f'"{word.value}"', {word.value: 1})
        assert pickle.loads(pickle.dumps(word)) is word
        assert enum(word.value) is word


class Interrupted(Value):
    number: Annotated[int, PlainSerializer(lambda _number: next(INTERRUPTS))]


class Outer(Value):
    parts: list[Interrupted]


def interrupt(raised: BaseException) -> Iterator[int]:
    raise raised
    yield 0


INTERRUPTS = interrupt(KeyboardInterrupt())


@pytest.mark.parametrize(
    "raised",
    [
        KeyboardInterrupt(),
        SystemExit(143),
        SystemExit("no"),
        SystemExit(),
        ValueError("Error calling function `f`: SystemExit: 1"),
    ],
)
@pytest.mark.parametrize("dump", [lambda value: value.model_dump(mode="json"), Value.model_dump_json])
def test_an_interrupt_in_the_middle_of_a_dump_stays_one(
    raised: BaseException, dump: Callable[[Value], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "INTERRUPTS", interrupt(raised))
    expected = PydanticSerializationError if isinstance(raised, ValueError) else type(raised)
    with pytest.raises(expected) as caught:
        dump(Outer(parts=[Interrupted(number=1)]))
    assert getattr(caught.value, "code", None) == getattr(raised, "code", None)
