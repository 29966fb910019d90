"""A job and its policies."""

from __future__ import annotations

import pickle
import re
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.core.quoting import quoted
from stepsched.jobs.names import distinct, is_name, is_name_prefix, narrowed
from stepsched.jobs.records import status_after

UTC = timezone.utc
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:failed"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


def job(**fields: Any) -> ss.Job:
    """A job of which only the given fields matter."""
    return ss.Job(
        **{
            "name": "nightly",
            "schedule": ss.Cron("0 9 * * ? *"),
            "target": ss.CommandTarget(["true"]),
            **fields,
        }
    )


FULL = job(
    name="Nightly_report-1.2",
    schedule=ss.Windowed(
        "2030-01-31T09:00", end="2031-01-31T09:00", every=ss.Frequency(months=1), timezone="Europe/Paris"
    ),
    target=ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders.fifo", message_group_id="g"),
    input={"format": "pdf", "pages": [1, 2.5, None, True], "title": "Zürich \N{GRINNING FACE}"},
    description="Sends the report",
    group="reports",
    tags={"team": "finance", "cost:center": "42"},
    enabled=False,
    retry=ss.Retry(
        max_attempts=5, max_age=2 * HOUR, interval=10 * SECOND, backoff_rate=1.5, max_delay=MINUTE
    ),
    dead_letter=ss.QueueTarget(QUEUE),
    notify=ss.TopicTarget(TOPIC),
    on_failure=ss.OnFailure.STOP,
    overlap=ss.Overlap.QUEUE,
    catch_up=ss.CatchUp.ONE,
    catch_up_within=timedelta(minutes=10),
    jitter=30 * SECOND,
    max_run_time=HOUR,
    completion=ss.Completion.KEEP,
)


# -- the whole ---------------------------------------------------------------------------------------


def test_json_is_an_exact_mirror_of_a_job_with_every_field_set() -> None:
    defaults = job()
    for name in ss.Job.model_fields:
        assert getattr(FULL, name) != getattr(defaults, name), f"{name} is not set above"
    assert ss.Job.model_validate_json(FULL.model_dump_json()) == FULL
    assert ss.Job.model_validate_json(FULL.model_dump_json()).model_dump_json() == FULL.model_dump_json()


def test_pickle_and_deepcopy_are_exact_mirrors() -> None:
    assert pickle.loads(pickle.dumps(FULL)) == FULL
    assert deepcopy(FULL) == FULL


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(ss.OneTime("2030-01-01T09:00", timezone="Europe/Paris"), id="one_time"),
        pytest.param(
            ss.OneTime("2030-11-03T06:30Z", timezone="America/New_York"), id="one_time, second pass"
        ),
        pytest.param(ss.Rate(MINUTE, start="2030-01-01T00:00Z", end="2031-01-01T00:00Z"), id="rate"),
        pytest.param(ss.Cron("0 9 ? * MON-FRI *", timezone="Asia/Tokyo"), id="cron"),
        pytest.param(ss.Cron.from_crontab("0 0 13 * 5"), id="crontab that AWS cannot say"),
        pytest.param(ss.Windowed("2030-01-31T09:00", every=ss.Frequency(quarters=1)), id="windowed"),
    ],
)
def test_every_kind_of_schedule_survives_the_job_s_json(schedule: ss.Schedule) -> None:
    again = ss.Job.model_validate_json(job(schedule=schedule).model_dump_json())
    assert again.schedule == schedule
    assert type(again.schedule) is type(schedule)


def test_the_defaults_are_these() -> None:
    plain = job()
    expected: dict[str, object] = {
        "input": {},
        "description": "",
        "group": "default",
        "tags": {},
        "enabled": True,
        "dead_letter": None,
        "notify": None,
        "on_failure": ss.OnFailure.CONTINUE,
        "overlap": ss.Overlap.ALLOW,
        "catch_up": ss.CatchUp.ALL,
        "catch_up_within": None,
        "jitter": timedelta(0),
        "max_run_time": None,
        "completion": ss.Completion.DELETE,
    }
    assert plain.model_dump(include=set(expected)) == expected
    assert (plain.retry.max_attempts, plain.retry.max_age) == (3, HOUR)


def test_no_two_jobs_share_a_default() -> None:
    one, other = job(), job()
    one.tags["a"] = "b"
    assert isinstance(one.input, dict)
    one.input["a"] = "b"
    assert (other.tags, other.input) == ({}, {})


def test_tags_are_copied_in() -> None:
    tags = {"team": "a"}
    made = job(tags=tags)
    tags["team"] = "b"
    assert made.tags == {"team": "a"}


def test_replace_gives_a_changed_copy() -> None:
    changed = FULL.replace(name="other", overlap="skip")
    assert (changed.name, changed.overlap) == ("other", ss.Overlap.SKIP)
    assert changed.replace(name=FULL.name, overlap=FULL.overlap) == FULL
    assert FULL.overlap is ss.Overlap.QUEUE


def test_a_job_needs_name_schedule_and_target() -> None:
    with pytest.raises(ValidationError) as refused:
        ss.Job()  # type: ignore[call-arg]
    assert [error["loc"] for error in refused.value.errors()] == [("name",), ("schedule",), ("target",)]


def test_a_job_takes_no_other_field() -> None:
    with pytest.raises(ValidationError, match=r"colour\n.*Job has no field colour; it has name, "):
        job(colour="red")


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        job(name=" a", overlap="never", jitter=-SECOND, tags={"a": 1}, target={"kind": "lambda"})
    places = {".".join(map(str, error["loc"])) for error in refused.value.errors()}
    assert places == {"name", "overlap", "jitter", "tags.a", "target.lambda"}


# -- names, words and sizes --------------------------------------------------------------------------


NARROW = ["a", "A-b_c.1", "...", "-", "_", ".a", "0", "n" * 64]
NO_NAMES: list[object] = ["", ".", "..", "a\n", "a\0", "\ud800", None, 1, True, b"a", ["a"]]


@pytest.mark.parametrize(
    "name",
    [
        *NARROW,
        "n" * 256,
        "nightly report",
        "a/b",
        "é",
        "٣",
        "夜間レポート",
        "\U0001f680" * 256,
        "{% $x %}",
        "<aws.scheduler.execution-id>",
        "a' OR 1=1",
        "solution-maintenance-full-" + "n" * 63,
    ],
    ids=ascii,
)
def test_a_name_is_1_to_256_visible_characters(name: str) -> None:
    assert job(name=name).name == name


@pytest.mark.parametrize(
    "name",
    [
        *NO_NAMES,
        "n" * 257,
        " a",
        "a ",
        " ",
        "a\tb",
        "a\rb",
        "a\x1b[31mb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\u200bb",
        "a\u202eb",
        "\ufeffa",
        "a\xa0b",
        "a\u3000b",
    ],
    ids=ascii,
)
def test_another_name_is_refused_with_the_rule(name: object) -> None:
    with pytest.raises(ValidationError) as refused:
        job(name=name)
    (error,) = refused.value.errors()
    assert error["loc"] == ("name",)
    assert error["msg"] == (
        f"Value error, {quoted(name)} is not a name: 1 to 256 visible characters, with spaces only between "
        "them (and neither '.' nor '..')"
    )


def test_a_name_is_not_filled_in() -> None:
    with pytest.raises(ValidationError, match="expected the text of a name, got the context attribute"):
        job(name=ss.context.EXECUTION_ID)


@pytest.mark.parametrize("group", NARROW, ids=str)
def test_the_name_of_a_group_is_1_to_64_of_the_characters_that_aws_takes(group: str) -> None:
    assert job(group=group).group == group


@pytest.mark.parametrize("group", [*NO_NAMES, "n" * 65, "a b", "a/b", "é", "٣"], ids=ascii)
def test_another_group_is_refused_with_the_rule(group: object) -> None:
    with pytest.raises(ValidationError) as refused:
        job(group=group)
    (error,) = refused.value.errors()
    assert error["loc"] == ("group",)
    assert error["msg"] == (
        f"Value error, {group!r} is not a name of a group: 1 to 64 of A-Z a-z 0-9 - _ . "
        "(and neither '.' nor '..')"
    )


def test_names_are_compared_by_their_characters() -> None:
    """The two forms of an accented letter are two names: a table of others may hold either."""
    assert job(name="caf\xe9") != job(name="cafe\u0301")


@pytest.mark.parametrize("prefix", ["", ".", "..", "a ", "n" * 256, "é"], ids=ascii)
def test_a_name_can_begin_with_a_part_of_a_name(prefix: str) -> None:
    assert is_name_prefix(prefix)
    assert is_name(prefix) or is_name(prefix + "x")


@pytest.mark.parametrize("prefix", ["n" * 257, " ", " a", "\n", "a\0", "\ud800"], ids=ascii)
def test_a_name_cannot_begin_with_another_text(prefix: str) -> None:
    assert not is_name_prefix(prefix)


@pytest.mark.parametrize("name", [*NARROW, "n" * 128])
def test_a_name_that_a_service_allows_stays_as_it_is(name: str) -> None:
    assert distinct(name, 128) == name
    assert narrowed(name, 128) == name


@pytest.mark.parametrize("name", ["n" * 129, "a b", "é", "\U0001f680" * 256, "a/b:c"], ids=ascii)
def test_a_name_for_a_service_is_short_plain_and_unlike_others(name: str) -> None:
    derived = {distinct(name + more, 128) for more in ("", "x", "!", "?")}
    assert len(derived) == 4
    for each in derived:
        assert re.fullmatch(r"[0-9A-Za-z_.-]{1,128}", each)
    assert re.fullmatch(r"[0-9A-Za-z_.-]{1,67}", narrowed(name, 67))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("description", "d" * 512, id="description of 512 characters"),
        pytest.param("tags", {"k" * 128: "v" * 256}, id="longest tag"),
        pytest.param("tags", {str(number): "v" for number in range(200)}, id="200 tags"),
        pytest.param("jitter", DAY, id="jitter of a day"),
        pytest.param("max_run_time", SECOND, id="run time of a second"),
        pytest.param("max_run_time", 365 * DAY, id="run time of a year"),
        pytest.param("overlap", "queue", id="overlap as its word"),
        pytest.param("catch_up", "one", id="catch_up as its word"),
        pytest.param("completion", "keep", id="completion as its word"),
        pytest.param("input", None, id="null as input"),
    ],
)
def test_a_field_at_its_limit_is_taken(field: str, value: object) -> None:
    assert getattr(job(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        pytest.param("description", "d" * 513, "at most 512 characters", id="long description"),
        pytest.param("description", 5, "valid string", id="number as description"),
        pytest.param("description", "\ud800", "valid string", id="surrogate in the description"),
        pytest.param("tags", {"": "v"}, "at least 1 character", id="empty key"),
        pytest.param("tags", {"k": ""}, "at least 1 character", id="empty value of a tag"),
        pytest.param("tags", {"k" * 129: "v"}, "at most 128 characters", id="long key"),
        pytest.param("tags", {"k": "v" * 257}, "at most 256 characters", id="long value of a tag"),
        pytest.param("tags", {str(n): "v" for n in range(201)}, "at most 200 items", id="201 tags"),
        pytest.param("tags", {"k": 1}, "valid string", id="number as the value of a tag"),
        pytest.param("tags", {1: "v"}, "valid string", id="number as a key"),
        pytest.param("tags", [("k", "v")], "valid dictionary", id="pairs as tags"),
        pytest.param("tags", None, "valid dictionary", id="no tags"),
        pytest.param("enabled", "no", "valid boolean", id="text as enabled"),
        pytest.param("enabled", 0, "valid boolean", id="number as enabled"),
        pytest.param("enabled", None, "valid boolean", id="none as enabled"),
        pytest.param("overlap", "SKIP", "'allow', 'skip' or 'queue'", id="overlap in capitals"),
        pytest.param("overlap", None, "'allow', 'skip' or 'queue'", id="no overlap"),
        pytest.param("catch_up", "none", "'all', 'one' or 'skip'", id="unknown catch_up"),
        pytest.param("completion", "ended", "'delete' or 'keep'", id="unknown completion"),
        pytest.param("jitter", -SECOND, "greater than or equal to 0", id="negative jitter"),
        pytest.param("jitter", DAY + timedelta(microseconds=1), "less than or equal", id="long jitter"),
        pytest.param("jitter", None, "expected a timedelta", id="no jitter"),
        pytest.param("max_run_time", timedelta(0), "greater than or equal to", id="no run time"),
        pytest.param("max_run_time", 366 * DAY, "less than or equal", id="long run time"),
        pytest.param("retry", 3, "Retry", id="number as retry"),
        pytest.param("retry", None, "Retry", id="no retry"),
        pytest.param("dead_letter", QUEUE, "QueueTarget", id="ARN as dead letter queue"),
        pytest.param("notify", TOPIC, "TopicTarget", id="ARN as topic"),
        pytest.param("notify", ss.QueueTarget(QUEUE), "notify", id="queue as topic"),
        pytest.param("on_failure", "explode", "'continue' or 'stop'", id="unknown on_failure"),
        pytest.param("schedule", None, "schedule", id="no schedule"),
        pytest.param("schedule", ss.Frequency(days=1), "use Windowed", id="frequency as schedule"),
        pytest.param("schedule", {"expression": "0 9 * * ? *"}, "with its kind", id="schedule without kind"),
        pytest.param("schedule", {"kind": "yearly"}, "'one_time', 'rate', 'cron'", id="unknown schedule"),
        pytest.param("target", {}, "with its kind", id="target without kind"),
        pytest.param("input", object(), "which is not JSON", id="object as input"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(field: str, value: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as refused:
        job(**{field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


@pytest.mark.parametrize(
    ("schedule", "place", "problem"),
    [
        pytest.param({"kind": "cron", "expression": "61 * * * ? *"}, "cron", "minutes: '61'", id="cron"),
        pytest.param({"kind": "rate", "every": "PT90S"}, "rate", "whole minutes", id="rate"),
        pytest.param({"kind": "one_time", "at": "2030-02-30T09:00"}, "one_time", "day is out", id="one_time"),
        pytest.param(
            {"kind": "windowed", "start": "2030-01-01T00:00", "every": {}},
            "windowed",
            "expected a step, got 0",
            id="step",
        ),
        pytest.param(
            {"kind": "cron", "expression": "0 9 * * ? *", "timezone": "Paris"},
            "cron",
            "not an IANA",
            id="zone",
        ),
    ],
)
def test_a_wrong_schedule_in_a_document_keeps_its_own_words(
    schedule: dict[str, object], place: str, problem: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        job(schedule=schedule)
    (error,) = refused.value.errors()
    assert error["loc"][:2] == ("schedule", place)
    assert problem in error["msg"]


def test_dead_letters_need_a_standard_queue() -> None:
    assert job(dead_letter=ss.QueueTarget(QUEUE)).dead_letter == ss.QueueTarget(QUEUE)
    with pytest.raises(ValidationError, match=r"expected a standard queue, got the FIFO .*failed\.fifo'"):
        job(dead_letter=ss.QueueTarget(f"{QUEUE}.fifo", message_group_id="g"))
    with pytest.raises(ValidationError, match="dead_letter"):
        job(dead_letter=ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:failed"))


# -- retries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "low", "high", "step"),
    [
        pytest.param("max_attempts", 0, 185, 1, id="max_attempts"),
        pytest.param("max_age", MINUTE, 14 * DAY, timedelta(microseconds=1), id="max_age"),
        pytest.param("interval", timedelta(0), DAY, timedelta(microseconds=1), id="interval"),
        pytest.param("backoff_rate", 1.0, 10.0, 0.001, id="backoff_rate"),
    ],
)
def test_a_retry_policy_stays_inside_its_limits(field: str, low: Any, high: Any, step: Any) -> None:
    assert getattr(ss.Retry(**{field: low}), field) == low
    assert getattr(ss.Retry(**{field: high}), field) == high
    for wrong, words in ((low - step, "greater than or equal"), (high + step, "less than or equal")):
        with pytest.raises(ValidationError, match=f"{field}\n.*{words}"):
            ss.Retry(**{field: wrong})


def test_the_longest_pause_is_bounded() -> None:
    assert ss.Retry(interval=timedelta(0), max_delay=timedelta(0)).max_delay == timedelta(0)
    assert ss.Retry(max_delay=DAY).max_delay == DAY
    assert ss.Retry(interval=MINUTE, max_delay=MINUTE).max_delay == MINUTE
    with pytest.raises(
        ValidationError, match=r"expected max_delay of at least interval 0:01:00, got 0:00:59"
    ):
        ss.Retry(interval=MINUTE, max_delay=59 * SECOND)
    with pytest.raises(ValidationError, match=r"max_delay\n.*less than or equal"):
        ss.Retry(max_delay=DAY + SECOND)
    with pytest.raises(ValidationError, match=r"max_delay\n.*greater than or equal"):
        ss.Retry(max_delay=-SECOND)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        pytest.param("max_attempts", 2.5, "valid integer", id="half an attempt"),
        pytest.param("max_attempts", None, "valid integer", id="no number of attempts"),
        pytest.param("max_attempts", "many", "valid integer", id="attempts in words"),
        pytest.param("backoff_rate", float("nan"), "finite", id="nan as rate"),
        pytest.param("backoff_rate", float("inf"), "finite", id="infinite rate"),
        pytest.param("max_age", "1h", "expected a timedelta", id="age in other letters"),
        pytest.param("attempts", 3, "Retry has no field attempts", id="unknown field"),
    ],
)
def test_a_wrong_retry_policy_is_refused_by_the_field(field: str, value: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=f"{field}\n.*{problem}"):
        ss.Retry(**{field: value})


@pytest.mark.parametrize(
    ("retry", "delays"),
    [
        pytest.param(
            ss.Retry(interval=SECOND, backoff_rate=2, max_delay=5 * SECOND), [1, 2, 4, 5, 5], id="doubled"
        ),
        pytest.param(ss.Retry(interval=2 * SECOND, backoff_rate=1), [2, 2, 2, 2, 2], id="constant"),
        pytest.param(ss.Retry(interval=timedelta(0)), [0, 0, 0, 0, 0], id="none"),
        pytest.param(
            ss.Retry(interval=2 * SECOND, backoff_rate=1.5, max_delay=MINUTE),
            [2, 3, 4.5, 6.75, 10.125],
            id="slow",
        ),
        pytest.param(
            ss.Retry(pauses=[5 * SECOND, timedelta(0), 7 * SECOND]), [5, 0, 7, 7, 7], id="one by one"
        ),
    ],
)
def test_the_pause_grows_by_the_rate_up_to_its_bound(retry: ss.Retry, delays: list[float]) -> None:
    assert [retry.delay(attempt).total_seconds() for attempt in range(1, 6)] == delays


def test_the_retries_of_webhooks_are_the_ladder_of_the_specification() -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    retry = ss.Retry.webhook()
    since_start = [timedelta(0)]
    for attempt in range(1, retry.max_attempts + 1):
        since_start.append(since_start[-1] + retry.delay(attempt))
    stated = "00:00:00 00:00:05 00:05:05 00:35:05 02:35:05 07:35:05 17:35:05 31:35:05 51:35:05 75:35:05"
    hours = [each // HOUR for each in since_start]
    assert (
        " ".join(
            f"{hour:02}:{rest // MINUTE:02}:{rest % MINUTE // SECOND:02}"
            for hour, rest in zip(hours, (each % HOUR for each in since_start), strict=True)
        )
        == stated
    )
    assert retry.max_age >= since_start[-1] + 10 * HOUR  # attempts take time


def test_the_pauses_one_by_one_set_the_number_of_attempts() -> None:
    retry = ss.Retry(pauses=[SECOND, MINUTE])
    assert (retry.max_attempts, retry.pauses) == (2, (SECOND, MINUTE))
    assert retry.replace(pauses=[SECOND]).max_attempts == 1
    assert retry == ss.Retry(max_attempts=2, pauses=[SECOND, MINUTE])
    for options in ({}, {"exclude_unset": True}, {"exclude_defaults": True}):
        assert ss.Retry.model_validate_json(retry.model_dump_json(**options)) == retry
    assert ss.Retry(**retry.model_dump()) == retry


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"interval": MINUTE}, "expected either pauses or interval, got both"),
        ({"backoff_rate": 3}, "expected either pauses or backoff_rate, got both"),
        ({"max_delay": MINUTE}, "expected either pauses or max_delay, got both"),
        ({"max_attempts": 3}, "expected as many pauses as max_attempts, 3, got 1; leave max_attempts out"),
        ({"pauses": []}, "at least 1 item"),
        ({"pauses": [SECOND] * 186}, "at most 185 items"),
        ({"pauses": [-SECOND]}, r"pauses\.0\n.*greater than or equal"),
        ({"pauses": [DAY + SECOND]}, r"pauses\.0\n.*less than or equal"),
        ({"pauses": [5]}, r"pauses\.0\n.*expected a timedelta"),
        ({"pauses": MINUTE}, "valid tuple"),
    ],
)
def test_pauses_that_contradict_or_are_none_are_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ss.Retry(**{"pauses": [SECOND], **fields})


@pytest.mark.parametrize("interval", [timedelta(0), SECOND, DAY], ids=str)
@pytest.mark.parametrize("rate", [1.0, 1.01, 2.0, 10.0], ids=str)
@pytest.mark.parametrize("bound", [None, DAY], ids=str)
def test_no_pause_overflows_or_shrinks(interval: timedelta, rate: float, bound: timedelta | None) -> None:
    retry = ss.Retry(max_attempts=185, max_age=DAY, interval=interval, backoff_rate=rate, max_delay=bound)
    pauses = [retry.delay(attempt) for attempt in range(1, 187)]
    assert pauses == sorted(pauses)
    assert interval == pauses[0]
    assert pauses[-1] <= DAY


# -- what a job knows --------------------------------------------------------------------------------

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        pytest.param(ss.Cron("0 9 * * ? *"), None, id="cron"),
        pytest.param(ss.Rate(HOUR), None, id="rate without start"),
        pytest.param(ss.OneTime("2030-01-01T00:00:01"), None, id="a second from now"),
        pytest.param(ss.OneTime(NOW), "its last run was due at 2030-01-01T00:00:00+00:00", id="just now"),
        pytest.param(ss.OneTime("2029-01-01T00:00"), "was due at 2029-01-01T00:00:00+00:00", id="past"),
        pytest.param(ss.Cron("0 0 30 2 ? *"), "no date matches the schedule", id="30 February"),
        pytest.param(ss.Cron("0 0 1 1 ? 2029"), "was due at 2029-01-01", id="past year"),
        pytest.param(
            ss.Windowed("2029-01-01T00:00", end="2029-06-01T00:00", every=ss.Frequency(months=1)),
            "was due at 2029-06-01",
            id="past window",
        ),
    ],
)
def test_a_job_says_why_it_would_never_run(schedule: ss.Schedule, why: str | None) -> None:
    answer = job(schedule=schedule).why_never_runs(NOW)
    if why is None:
        assert answer is None
    else:
        assert answer is not None
        assert why in answer


def test_a_rate_without_start_is_laid_at_the_creation() -> None:
    created = NOW + timedelta(seconds=30)
    assert job(schedule=ss.Rate(HOUR)).anchored(created) == ss.Rate(HOUR, start=created)


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(ss.Rate(HOUR, start=NOW), id="rate with start"),
        pytest.param(ss.Cron("0 9 * * ? *"), id="cron"),
        pytest.param(ss.OneTime(NOW), id="one_time"),
        pytest.param(ss.Windowed(NOW, every=ss.Frequency(days=1)), id="windowed"),
    ],
)
def test_other_schedules_keep_their_own_grid(schedule: ss.Schedule) -> None:
    assert job(schedule=schedule).anchored(NOW + HOUR) is schedule


def test_only_a_one_time_schedule_makes_a_one_time_job() -> None:
    assert job(schedule=ss.OneTime(NOW)).is_one_time
    assert not job().is_one_time
    assert not job(schedule=ss.Rate(HOUR, start=NOW, end=NOW + MINUTE)).is_one_time


# -- records -----------------------------------------------------------------------------------------


def test_a_record_mirrors_in_json_and_bears_its_job_s_name() -> None:
    run = ss.Run(
        id=7,
        job=FULL.name,
        scheduled_for=NOW,
        status=ss.RunStatus.FAILED,
        trigger=ss.jobs.Trigger.MANUAL,
        attempt=2,
        started_at=NOW + SECOND,
        ended_at=NOW + MINUTE,
        restarted=True,
        error="ValueError: no",
        output="half",
    )
    record = ss.JobRecord(
        job=FULL,
        status=ss.JobStatus.PAUSED,
        version=3,
        created_at=NOW,
        updated_at=NOW + DAY,
        next_run=None,
        last_run=run,
    )
    assert record.name == FULL.name
    assert ss.JobRecord.model_validate_json(record.model_dump_json()) == record
    assert record.replace(version=4).job is not None


@pytest.mark.parametrize(
    ("status", "action", "after"),
    [
        pytest.param("active", "pause", "paused", id="pause an active job"),
        pytest.param("paused", "pause", "paused", id="pause a paused job"),
        pytest.param("paused", "resume", "active", id="resume a paused job"),
        pytest.param("active", "resume", "active", id="resume an active job"),
    ],
)
def test_pause_and_resume_lead_to_their_status_from_either(status: str, action: str, after: str) -> None:
    assert status_after("j", ss.JobStatus(status), action) is ss.JobStatus(after)


@pytest.mark.parametrize("status", [ss.JobStatus.ENDED, ss.JobStatus.CANCELLED], ids=str)
@pytest.mark.parametrize("action", ["pause", "resume"])
def test_a_job_that_is_over_is_neither_paused_nor_resumed(status: ss.JobStatus, action: str) -> None:
    with pytest.raises(ss.InvalidTransitionError, match=f"cannot {action} job 'j': it is {status.value}$"):
        status_after("j", status, action)


def test_an_input_that_a_command_would_never_read_is_refused() -> None:
    """The text of ``stdin`` replaces the input."""
    command = ss.CommandTarget(["cat"], stdin="hello")
    with pytest.raises(
        ValidationError, match=r"stdin='hello' instead, got \{'a': 1\}; leave one of them out"
    ):
        job(target=command, input={"a": 1})
    assert job(target=command, input={}).input == {}
    assert job(target=ss.CommandTarget(["cat"]), input={"a": 1}).input == {"a": 1}


@pytest.mark.parametrize(
    ("field", "value", "cure"),
    [
        pytest.param("schedule", "rate(5 minutes)", "use parse_schedule('rate(5 minutes)')", id="text"),
        pytest.param("schedule", timedelta(minutes=5), "got timedelta; use Rate(value)", id="timedelta"),
        pytest.param("schedule", datetime(2030, 1, 1), "got datetime; use OneTime(value)", id="datetime"),
        pytest.param(
            "schedule", ss.Frequency(days=1), "use Windowed(start, every=Frequency(days=1))", id="step"
        ),
        pytest.param("schedule", None, "got NoneType; use Rate(timedelta(minutes=5))", id="no schedule"),
        pytest.param("schedule", {"every": "PT5M"}, "a mapping with its kind, such as 'rate'", id="no kind"),
        pytest.param(
            "target",
            "arn:aws:sqs:eu-west-1:123456789012:orders.fifo",
            "use QueueTarget('arn:aws:sqs:eu-west-1:123456789012:orders.fifo', message_group_id=...)",
            id="queue",
        ),
        pytest.param(
            "target",
            "arn:aws:kinesis:eu-west-1:123456789012:stream/x",
            "use KinesisTarget('arn:aws:kinesis:eu-west-1:123456789012:stream/x', partition_key=...)",
            id="stream",
        ),
        pytest.param(
            "target", "arn:aws:batch:eu-west-1:123456789012:job-queue/x", "use one such", id="batch"
        ),
        pytest.param("target", "arn:", "use one such as LambdaTarget(arn)", id="no ARN"),
        pytest.param("target", "app.jobs:run", "use HandlerTarget('app.jobs:run')", id="name of a function"),
        pytest.param("target", ["python", "x.py"], "use CommandTarget(['python', 'x.py'])", id="command"),
        pytest.param("target", 5, "got int; use one such as HandlerTarget(function)", id="number"),
        pytest.param("target", {}, "a mapping with its kind, such as 'lambda'; got {}", id="empty mapping"),
    ],
)
def test_what_is_no_schedule_or_target_is_refused_with_what_makes_one(
    field: str, value: object, cure: str
) -> None:
    fields: dict[str, Any] = {
        "schedule": ss.Rate(timedelta(hours=1)),
        "target": ss.HandlerTarget("app.jobs:run"),
        field: value,
    }
    with pytest.raises(ValidationError) as caught:
        ss.Job(name="a", **fields)
    assert cure in str(caught.value)
