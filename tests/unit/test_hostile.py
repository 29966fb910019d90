"""Input that once broke something: it is refused, or answered, at once and in our words."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.core.payloads import MAX_PAYLOAD_BYTES
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def job(function: str | Callable[..., object] = "builtins:print", **changes: object) -> ss.Job:
    schedule = ss.Rate(HOUR, start=T0)
    return ss.Job(
        name="job", schedule=schedule, target=ss.HandlerTarget(function), retry=ss.Retry(max_attempts=0)
    ).replace(**changes)


def wrong(value: object) -> Any:
    return value


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        ":memory:",
        5,
        b"jobs.db",
        "sqlite:///jobs.db",
        "file:jobs.db",
        "FILE:jobs.db",
        "~/jobs.db",
        "~root/jobs.db",
        "/",
    ],
    ids=repr,
)
def test_a_path_that_names_no_file_is_refused(path: object) -> None:
    with pytest.raises(ValueError, match="expected the path of a file, got"):
        ss.LocalBackend(wrong(path))


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "8", None], ids=repr)
def test_workers_must_be_a_number_of_at_least_1(workers: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number of at least 1 for workers"):
        ss.LocalBackend(workers=wrong(workers))


@pytest.mark.parametrize(
    "bounds", [{"retention": -HOUR}, {"retention_limit": -1}], ids=["negative age", "negative number"]
)
def test_negative_bounds_of_the_history_are_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected retention and retention_limit of at least 0, got "):
        ss.LocalBackend(**bounds)


@pytest.mark.parametrize(
    ("until", "kind", "cure"),
    [
        pytest.param("2030-01-08", TypeError, "expected an aware datetime for until, got str", id="text"),
        pytest.param(datetime(2030, 1, 8), ValueError, "add a zone, such as tzinfo=timezone.utc", id="naive"),
        pytest.param(T0 - HOUR, ValueError, "expected until at or after", id="past"),
    ],
)
def test_a_play_to_what_is_no_later_instant_is_refused(
    until: object, kind: type[Exception], cure: str
) -> None:
    backend = ss.LocalBackend(clock=FakeClock(T0))
    with pytest.raises(kind, match=cure):
        backend.run_until(wrong(until))
    backend.close()


def test_the_machines_clock_is_not_played() -> None:
    backend = ss.LocalBackend()
    with pytest.raises(TypeError, match=r"LocalBackend\(clock=FakeClock"):
        backend.advance(HOUR)
    backend.close()


class UnspeakableError(Exception):
    """An error that fails when it is asked what it says."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class TestHandlers:
    def run(self, function: Callable[..., object], tmp_path: Path) -> ss.Run:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job(function))
        backend.run_until(T0 + HOUR)
        (run,) = client.runs("job")
        backend.close()
        return run

    def test_that_answer_half_a_character_have_succeeded(self, tmp_path: Path) -> None:
        run = self.run(lambda: "a\udc80b", tmp_path)
        assert (run.status, run.output) == (ss.RunStatus.SUCCEEDED, '"a?b"')

    def test_that_fail_with_half_a_character_have_failed(self, tmp_path: Path) -> None:
        def handler() -> None:
            raise ValueError("\ud800")

        run = self.run(handler, tmp_path)
        assert (run.status, run.error) == (ss.RunStatus.FAILED, "ValueError: ?")

    def test_that_fail_with_an_error_without_words_have_failed(self, tmp_path: Path) -> None:
        def handler() -> None:
            raise UnspeakableError

        run = self.run(handler, tmp_path)
        assert (run.status, run.error) == (
            ss.RunStatus.FAILED,
            "UnspeakableError: (its text cannot be read)",
        )

    def test_a_long_error_is_cut(self, tmp_path: Path) -> None:
        def handler() -> None:
            raise ValueError("x" * 1_000_000)

        error = self.run(handler, tmp_path).error
        assert error is not None
        assert 1_000 < len(error) < 10_000


class TestTime:
    @pytest.mark.parametrize(
        ("zone", "cure"),
        [
            pytest.param(timezone(HOUR), "such as 'Europe/Paris', or a ZoneInfo", id="offset"),
            pytest.param(None, "expected the name of a zone", id="none"),
            pytest.param(["UTC"], "expected the name of a zone", id="list"),
        ],
    )
    def test_what_names_no_zone_is_refused(self, zone: object, cure: str) -> None:
        with pytest.raises(ss.InvalidScheduleError, match=cure) as caught:
            ss.Cron("0 9 * * ? *", timezone=wrong(zone))
        assert caught.value.field == "timezone"

    def test_a_number_of_ten_million_digits_is_refused_and_never_made(self) -> None:
        tracemalloc.start()
        try:
            with pytest.raises(ss.InvalidScheduleError, match="is not a positive number"):
                ss.Frequency.from_document({"days": "1e9999999"})
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 1_000_000, "the number alone takes four million bytes"

    @pytest.mark.parametrize("name", ["after", "until"])
    def test_skipped_wall_times_are_not_asked_for_by_naive_instants(self, name: str) -> None:
        cron = ss.Cron("30 2 * * ? *", timezone="Europe/Paris")
        bounds: dict[str, Any] = {"after": T0, "until": T0 + HOUR, name: datetime(2030, 3, 1)}
        with pytest.raises(ValueError, match="naive"):
            list(cron.skipped(**bounds))

    @pytest.mark.parametrize("every", ["P1M", "P1Y", "P1Y2M", "PT", "P", "1 day", 60], ids=repr)
    def test_a_rate_of_no_fixed_length_is_refused(self, every: object) -> None:
        with pytest.raises((ss.InvalidScheduleError, ValidationError)):
            ss.Rate(wrong(every))

    @pytest.mark.parametrize("days", [28, 30, 31, 365, 366, 1000])
    def test_a_rate_of_many_days_comes_back_from_json_as_it_was(self, days: int) -> None:
        rate = ss.Rate(timedelta(days=days))
        assert ss.Rate.model_validate_json(rate.model_dump_json()) == rate
        whole = job(schedule=rate)
        assert ss.Job.model_validate_json(whole.model_dump_json()) == whole


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: ss.parse_schedule("rate(５ minutes)"), id="wide digit in a rate"),
        pytest.param(lambda: ss.Cron("0 ９ * * ? *"), id="wide digit in a cron"),
        pytest.param(lambda: ss.Cron("0 ٩ * * ? *"), id="arabic digit in a cron"),
        pytest.param(lambda: ss.Cron.from_crontab("0 ９ * * *"), id="wide digit in a crontab"),
        pytest.param(lambda: ss.Frequency.from_document({"days": "１"}), id="wide digit in a frequency"),
        pytest.param(lambda: job(group="jоb"), id="cyrillic letter in a group"),
        pytest.param(lambda: job(group="ｇ"), id="wide letter in a group"),
        pytest.param(
            lambda: ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:rеport"),
            id="cyrillic arn",
        ),
    ],
)
def test_look_alikes_are_not_taken_for_ascii(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()


def test_a_name_with_a_look_alike_is_another_name() -> None:
    with ss.SchedulerClient() as client:
        client.create(job(name="jоb"))  # the second letter is cyrillic
        with pytest.raises(ss.JobNotFoundError):
            client.get("job")
        assert [record.name for record in client.list(name_prefix="j")] == ["jоb"]
        assert client.list(name_prefix="jo") == []


class CountedList(list[object]):
    """A list that counts how many items of all such lists have been looked at, and bounds it."""

    looked_at = 0

    def __iter__(self) -> Iterator[object]:
        for item in super().__iter__():
            CountedList.looked_at += 1
            if CountedList.looked_at > 2 * MAX_PAYLOAD_BYTES:
                raise RuntimeError("looked at more parts than a payload has bytes")
            yield item


def test_one_part_held_a_billion_times_is_refused_after_no_more_parts_than_a_payload_has_bytes() -> None:
    part = CountedList(["x"])
    for _ in range(60):
        part = CountedList([part, part])
    CountedList.looked_at = 0
    with pytest.raises(ValidationError) as caught:
        job(input=part)
    (problem,) = caught.value.errors(include_input=False, include_url=False)
    assert "store large data elsewhere" in problem["msg"]
    assert MAX_PAYLOAD_BYTES <= CountedList.looked_at <= MAX_PAYLOAD_BYTES + 100


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- name: a\n  name: b\n", id="of a job"),
        pytest.param("- name: a\n  input: {x: 1, x: 2}\n", id="deep inside"),
    ],
)
def test_a_key_that_stands_twice_in_yaml_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(text)
    with pytest.raises(ss.errors.JobFileError, match=r"duplicate key '(name|x)', at lines"):
        ss.load_jobs(path)


SCRIPT = """
import sys
import stepsched as ss
from datetime import datetime, timedelta, timezone
from stepsched.testing import FakeClock

print("loaded")

def handler():
    return __name__

if __name__ == "__main__":
    start = datetime(2030, 1, 7, tzinfo=timezone.utc)
    backend = ss.LocalBackend(sys.argv[1], clock=FakeClock(start))
    client = ss.SchedulerClient(backend)
    if sys.argv[2] == "create":
        client.create(ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget(handler)))
    else:
        backend.run_until(start + timedelta(days=1))
    print(client.get("job").job.target.handler, [run.output for run in client.runs("job")])
    backend.close()
"""


def test_a_function_of_a_script_is_stored_by_the_scripts_name_and_found_by_its_next_run(
    tmp_path: Path,
) -> None:
    script = tmp_path / "nightly_script.py"
    script.write_text(SCRIPT)

    def run(verb: str) -> str:
        command = [sys.executable, str(script), str(tmp_path / "jobs.db"), verb]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout

    assert run("create") == "loaded\nnightly_script:handler []\n"
    # The program itself is found, and not loaded a second time beside it.
    assert run("play") == "loaded\nnightly_script:handler ['\"__main__\"']\n"
