"""``stepsched create`` and ``update``: jobs from options and files, stored once, changed where named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click
import pytest

import stepsched as ss
from stepsched.cli.app import app
from stepsched.cli.input.job_options import FIELDS, ONLY_IN_FILES
from tests.unit.cli.conftest import CommandLine, Done

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:letters"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:report"


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch, stepsched: CommandLine) -> None:
    """A file of jobs in the working folder."""
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")


def stored(stepsched: CommandLine, name: str) -> ss.JobRecord:
    """Returns the stored job."""
    done = stepsched("get", name, "-o", "json")
    assert done.code == 0, done.err
    return ss.JobRecord.model_validate_json(done.out)


def refused(done: Done, *words: str, code: int = 2) -> None:
    """Holds that a command has ended with a code and one line that has the words."""
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done
    for each in words:
        assert each in done.err


# -- create --------------------------------------------------------------------------------------------


def test_every_field_of_a_job_has_an_option_or_a_reason_why_not() -> None:
    fields = {each.place for each in FIELDS} | {("name",), ("group",)}
    for name in ss.Job.model_fields:
        inner = ss.Retry.model_fields if name == "retry" else [None]
        for part in inner:
            place = (name,) if part is None else (name, part)
            assert place in fields or ONLY_IN_FILES.get(".".join(place)), place


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--on-failure", ss.OnFailure),
        ("--overlap", ss.Overlap),
        ("--catch-up", ss.CatchUp),
        ("--completion", ss.Completion),
    ],
)
def test_the_words_of_an_option_are_those_of_the_policy(option: str, kind: Any) -> None:
    for command in ("create", "update"):
        (found,) = [each for each in app.commands[command].params if option in each.opts]
        assert isinstance(found.type, click.Choice)
        assert list(found.type.choices) == [each.value for each in kind]


def test_a_job_is_created_from_options_alone(stepsched: CommandLine) -> None:
    done = stepsched(
        *("create", "report", "--schedule", "cron(0 2 * * ? *)", "--timezone", "Europe/Paris"),
        *("--start", "2030-02-01T00:00:00+01:00", "--end", "2031-01-01T00:00Z", "--target", LAMBDA),
        *("--input", '{"n": 1}', "--description", "A report", "--group", "reports"),
        *("--tag", "team=a", "--tag", "stage=test", "--disabled", "--max-attempts", "5", "--max-age", "2h"),
        *("--retry-interval", "30s", "--backoff-rate", "1.5", "--max-delay", "1h", "--dead-letter", QUEUE),
        *("--notify", TOPIC, "--on-failure", "stop", "--overlap", "skip", "--catch-up", "one"),
        *("--catch-up-within", "1h30m", "--jitter", "5 minutes", "--max-run-time", "1h"),
        *("--completion", "keep"),
    )
    assert done.code == 0, done.err
    job = ss.JobRecord.model_validate(done.document).job
    assert job == stored(stepsched, "report").job
    assert job == ss.Job(
        name="report",
        schedule=ss.Cron(
            "0 2 * * ? *", timezone="Europe/Paris", start="2030-01-31T23:00Z", end="2031-01-01T00:00Z"
        ),
        target=ss.LambdaTarget(LAMBDA),
        input={"n": 1},
        description="A report",
        group="reports",
        tags={"team": "a", "stage": "test"},
        enabled=False,
        retry=ss.Retry(max_attempts=5, max_age="PT2H", interval="PT30S", backoff_rate=1.5, max_delay="PT1H"),
        dead_letter=ss.QueueTarget(QUEUE),
        notify=ss.TopicTarget(TOPIC),
        on_failure="stop",
        overlap="skip",
        catch_up="one",
        catch_up_within="PT1H30M",
        jitter="PT5M",
        max_run_time="PT1H",
        completion="keep",
    )


def test_pauses_are_given_one_by_one_and_taken_back(stepsched: CommandLine) -> None:
    stepsched(
        *("create", "report", "--schedule", "cron(0 2 * * ? *)", "--target", LAMBDA),
        *("--retry-pause", "5s", "--retry-pause", "5 minutes"),
    )
    assert stored(stepsched, "report").job.retry == ss.Retry(pauses=["PT5S", "PT5M"])
    done = stepsched("update", "report", "--max-attempts", "3")
    assert done.code == 2
    assert "expected --retry-pause as often as --max-attempts, 3, got it 2 times" in done.err
    done = stepsched("update", "report", "--retry-interval", "1h")
    assert "expected either --retry-pause or --retry-interval, got both" in done.err
    stepsched("update", "report", "--retry-pause", "none", "--retry-interval", "1h")
    assert stored(stepsched, "report").job.retry == ss.Retry(interval="PT1H")


def test_a_command_stands_after_two_hyphens_with_options_of_its_own(stepsched: CommandLine) -> None:
    stepsched(
        "create", "tidy", "--schedule", "0 * * * *", "--", "python", "tidy.py", "--group", "a", "--", "-o"
    )
    job = stored(stepsched, "tidy").job
    assert job.target == ss.CommandTarget(["python", "tidy.py", "--group", "a", "--", "-o"])
    assert job.group == "default"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param('{"kind": "command", "command": ["true"], "cwd": "/tmp"}', id="JSON"),
        pytest.param("{kind: command, command: ['true'], cwd: /tmp}", id="as errors about files show it"),
    ],
)
def test_a_target_with_fields_is_a_mapping_as_in_a_file(stepsched: CommandLine, target: str) -> None:
    stepsched("create", "a", "--schedule", "rate(1 hour)", "--target", target)
    assert stored(stepsched, "a").job.target == ss.CommandTarget(["true"], cwd="/tmp")


def test_the_input_comes_from_a_file_or_the_standard_input(stepsched: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"from": "a file"}')
    job = ("--schedule", "rate(1 hour)", "--target", LAMBDA)
    stepsched("create", "a", *job, "--input", "@input.json")
    stepsched("create", "b", *job, "--input", "@-", stdin='["from", "stdin"]')
    stepsched("create", "c", *job, "--input", '"none"')
    inputs = [stored(stepsched, name).job.input for name in "abc"]
    assert inputs == [{"from": "a file"}, ["from", "stdin"], "none"]


def test_a_function_of_the_working_folder_can_be_imported(stepsched: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "tasks_of_this_test.py").write_text("def report(input):\n    return input\n")
    done = stepsched("create", "a", "--schedule", "rate(1 hour)", "--target", "tasks_of_this_test:report")
    assert done.code == 0, done.err
    refused(
        stepsched("create", "b", "--schedule", "rate(1 hour)", "--target", "no_such_tasks:report"),
        "No module named 'no_such_tasks'",
        "run the command in the folder of its module",
        code=5,
    )


def test_all_mistakes_are_told_with_the_names_of_their_options(stepsched: CommandLine) -> None:
    done = stepsched(
        *("create", " x", "--schedule", "rate(1 hour)", "--target", "python report.py", "--jitter", "2d"),
        *("--max-attempts", "186", "--group", "a b", "--tag", "k=", "--dead-letter", "letters"),
    )
    refused(
        done, "NAME: ", "; write -- python report.py", "--jitter: expected a value less than", "got 2 days"
    )
    for each in ("--max-attempts: ", "--group: ", "--tag: ", "--dead-letter: "):
        assert each in done.err
    assert not Path("jobs.db").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param((), "expected the NAME of the job, or --file FILE", id="nothing"),
        pytest.param(("a",), "expected --schedule 'cron(0 9 ? * MON-FRI *)' and --target ARN", id="a name"),
        pytest.param(("a", "--schedule", "rate(1 hour)", "--"), "a command after --, got none", id="empty"),
        pytest.param(
            ("a", "--schedule", "rate(1 hour)", "--target", LAMBDA, "--", "true"),
            "got both",
            id="two targets",
        ),
        pytest.param(("a", "--schedule", "cron(0 25 * * ? *)", "--", "true"), "hours: '25'", id="schedule"),
        pytest.param(
            ("a", "--schedule", "rate(1 hour)", "--input", "{a: 1}", "--", "true"),
            "--input: expected JSON, got '{a: 1}'",
            id="input",
        ),
        pytest.param(
            ("a", "--schedule", "rate(1 hour)", "--input", "@none.json", "--", "true"),
            "--input: cannot read none.json: No such file",
            id="no file of an input",
        ),
        pytest.param(
            ("a", "--schedule", "rate(1 hour)", "--target", "{kind: [", "--tag", "a=b"),
            "--target: it is neither JSON nor YAML",
            id="target",
        ),
        pytest.param(
            ("a", "--schedule", "rate(1 hour)", "python", "a.py"),
            "unexpected 'python a.py'; quote an expression such as '0 9 * * 1-5', and write a command",
            id="a command without hyphens",
        ),
        pytest.param(("a", "--tag", "a"), "--tag: expected KEY=VALUE, got 'a'", id="tag"),
        pytest.param(("a", "--jitter", "5"), "expected a length of time such as 90s", id="length"),
        pytest.param(("a", "--overlap", "never"), "'allow', 'skip', 'queue'", id="word"),
        pytest.param(("a", "--file", "job.json", "--jitter", "5m"), "got both", id="a file and options"),
        pytest.param(("a", "--file", "job.json", "--group", "g"), "got both", id="a file and a group"),
        pytest.param(("--file", "none.json"), "cannot load jobs from none.json: No such file", id="no file"),
        pytest.param(
            ("a", "--schedule", "at(2029-01-01T00:00:00)", "--", "true"), "would never run", id="never runs"
        ),
    ],
)
def test_a_wrong_use_is_one_line_and_makes_no_file(
    stepsched: CommandLine, arguments: tuple[str, ...], words: str
) -> None:
    refused(stepsched("create", *arguments), words)
    assert not Path("jobs.db").exists() or stepsched("list").document == []


def test_an_equal_job_again_is_no_error_and_another_is(stepsched: CommandLine) -> None:
    job = ("create", "a", "--schedule", "rate(1 hour)", "--", "true")
    assert "job 'a': created" in stepsched(*job).err
    again = stepsched(*job)
    assert (again.code, again.document["version"]) == (0, 1)
    assert again.err == "job 'a': nothing to do: it exists already, with the same definition\n"
    another = ("create", "a", "--schedule", "rate(2 hours)", "--", "true")
    refused(stepsched(*another), "a different job is already named 'a'", "`stepsched update`", code=4)
    assert stored(stepsched, "a").version == 1


def test_a_dry_run_checks_the_job_shows_it_and_stores_nothing(stepsched: CommandLine) -> None:
    job = ("create", "a", "--schedule", "rate(1 hour)", "--dry-run")
    done = stepsched(*job, "--", "true")
    assert (done.code, done.document["name"]) == (0, "a")
    assert done.err == "job 'a' can be created; nothing was stored\n"
    assert not Path("jobs.db").exists()
    shown = stepsched(*job, "--", "true", terminal=True).out
    assert "Every hour" in shown
    assert "2030-01-07 06:00 +00:00 UTC  (now)" in shown
    refused(stepsched(*job, "--target", "no_such_tasks:f"), "no_such_tasks", code=5)
    stepsched("create", "a", "--schedule", "rate(2 hours)", "--", "true")
    refused(stepsched(*job, "--", "true"), "a different job", code=4)


def test_it_says_who_must_run_a_job_that_calls_aws(stepsched: CommandLine) -> None:
    words = "it calls AWS: a program that registers a handler for LambdaTarget must run the jobs of this file"
    created = stepsched("create", "a", "--schedule", "rate(1 hour)", "--target", LAMBDA)
    updated = stepsched("update", "a", "--schedule", "rate(2 hours)")
    assert words in created.err
    assert words in updated.err
    assert "AWS" not in stepsched("create", "b", "--schedule", "rate(1 hour)", "--", "true").err


@pytest.mark.parametrize("host", ["example.com", "localhost", "10.0.0.3", "[::1]", "[fd00::2]"])
def test_a_url_is_stored_for_whoever_serves_the_file(stepsched: CommandLine, host: str) -> None:
    """What may be called is the choice of the process that runs the job."""
    created = stepsched("create", "a", "--schedule", "rate(1 hour)", "--target", f"http://{host}/")
    assert (created.code, created.err) == (0, "job 'a': created\n")


def test_a_person_is_told_that_the_jobs_of_a_file_need_a_worker(stepsched: CommandLine) -> None:
    job = ("create", "a", "--schedule", "rate(1 hour)", "--", "true")
    assert (
        "it runs while `stepsched serve`, or a program of yours, runs" in stepsched(*job, terminal=True).err
    )


def test_targets_in_parallel_are_shown_on_one_line(stepsched: CommandLine) -> None:
    target = f"{{kind: parallel, targets: [[make, all], {LAMBDA}, {{kind: command, command: [a], cwd: /b}}]}}"
    done = stepsched("create", "a", "--schedule", "rate(1 hour)", "--target", target, terminal=True)
    assert (
        f"target       command  make all + lambda  {LAMBDA} + "
        'command  {"command": ["a"], "cwd": "/b"}\n' in done.out
    )


def test_help_shows_where_a_command_stands(stepsched: CommandLine) -> None:
    for command in ("create", "update"):
        text = stepsched(command, "--help").out
        assert "[OPTIONS] [NAME] [-- COMMAND [ARGUMENT]...]" in text
        assert "--max-delay LENGTH" in text


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("job.json", '{"name": "a", "schedule": "rate(1 hour)", "target": ["true"]}', id="a job"),
        pytest.param(
            "job.json", '[{"name": "a", "schedule": "rate(1 hour)", "target": ["true"]}]', id="list"
        ),
        pytest.param("job.yaml", "name: a\nevery: 1 hour\ntarget: ['true']\n", id="YAML"),
        pytest.param("job.yaml", "jobs:\n- name: a\n  every: 1 hour\n  target: ['true']\n", id="jobs"),
        pytest.param(
            "one_job_of_this_test.py",
            "import stepsched as ss\n"
            "schedule = ss.parse_schedule('rate(1 hour)')\n"
            "a = ss.Job(name='a', schedule=schedule, target=ss.CommandTarget(['true']))",
            id="Python",
        ),
    ],
)
def test_a_job_is_created_from_a_file(stepsched: CommandLine, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    done = stepsched("create", "--file", name)
    assert done.code == 0, done.err
    assert stored(stepsched, "a").job.target == ss.CommandTarget(["true"])


def test_what_get_prints_makes_the_same_job_again(stepsched: CommandLine) -> None:
    stepsched(
        "create", "a", "--schedule", "0 9 * * 1-5", "--timezone", "Asia/Tokyo", "--jitter", "1m", "--", "true"
    )
    before = stepsched("get", "a").out
    stepsched("cancel", "a", "--yes")
    done = stepsched("create", "--file", "-", stdin=before)
    assert (done.code, done.document["job"]) == (0, json.loads(before)["job"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[]", "expected at least one job, got none", id="no job"),
        pytest.param(
            '[{"name": "a"}, {}]', "expected one job, got 2; `stepsched apply` takes many", id="two"
        ),
        pytest.param("{", "it is neither JSON nor YAML", id="no document"),
        pytest.param('{"name": "a", "schedule": "rate(1 hour)"}', "target: it is missing", id="a mistake"),
        pytest.param(
            '{"name": "b", "schedule": "rate(1 hour)", "target": ["true"]}', "not 'a'", id="another name"
        ),
    ],
)
def test_a_file_that_is_refused_is_named(stepsched: CommandLine, text: str, words: str) -> None:
    done = stepsched("create", "a", "--file", "-", stdin=text)
    refused(done, words)
    assert "--file -" in done.err or "standard input" in done.err


# -- update --------------------------------------------------------------------------------------------


def create(stepsched: CommandLine, *more: str) -> None:
    """Creates the job that the tests of update change."""
    job = ("create", "a", "--schedule", "cron(0 2 * * ? *)", "--timezone", "Europe/Paris", "--tag", "team=a")
    done = stepsched(*job, "--max-attempts", "5", *more, "--", "true")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        pytest.param(("--schedule", "cron(0 5 * * ? *)"), {"schedule": "0 5 * * ? *"}, id="the zone is kept"),
        pytest.param(("--timezone", "Asia/Tokyo"), {"zone": "Asia/Tokyo"}, id="only the zone"),
        pytest.param(("--max-age", "2h"), {"retry": ss.Retry(max_attempts=5, max_age="PT2H")}, id="retry"),
        pytest.param(("--tag", "b=c"), {"tags": {"team": "a", "b": "c"}}, id="a tag more"),
        pytest.param(("--untag", "team", "--untag", "none"), {"tags": {}}, id="a tag less"),
        pytest.param(("--jitter", "5m"), {"jitter": "PT5M"}, id="a length"),
        pytest.param(("--disable",), {"enabled": False}, id="disabled"),
        pytest.param(("--new-group", "reports"), {"group": "reports"}, id="another group"),
        pytest.param(("--", "false", "-n"), {"target": ss.CommandTarget(["false", "-n"])}, id="a command"),
        pytest.param(("--description", "none"), {"description": "none"}, id="a text is a text"),
    ],
)
def test_update_changes_only_what_is_named(
    stepsched: CommandLine, arguments: tuple[str, ...], changes: dict[str, Any]
) -> None:
    create(stepsched)
    before = stored(stepsched, "a").job
    done = stepsched("update", "a", *arguments)
    assert done.code == 0, done.err
    expression, zone = changes.pop("schedule", "0 2 * * ? *"), changes.pop("zone", "Europe/Paris")
    wanted = before.replace(schedule=ss.Cron(expression, timezone=zone), **changes)
    assert ss.JobRecord.model_validate(done.document).job == wanted
    assert stored(stepsched, "a").version == 2


@pytest.mark.parametrize("expression", ["0 9 13 * 5", "every month", "rate(2 hours)"])
def test_the_ends_of_any_schedule_are_set_changed_and_removed(
    stepsched: CommandLine, expression: str
) -> None:
    ends: tuple[str, ...] = (
        "--timezone",
        "Europe/Paris",
        "--start",
        "2030-02-01T09:00+01:00",
        "--end",
        "2031-02-01T09:00+01:00",
    )
    if expression == "every month":
        ends = (*ends[:2], "--start", "2030-02-01T09:00", "--end", "2031-02-01T09:00")
    if expression.startswith("rate"):
        ends = ends[2:]
    done = stepsched("create", "a", "--schedule", expression, *ends, "--", "true")
    assert done.code == 0, done.err
    offset = "" if expression == "every month" else "+01:00"
    if expression == "every month":
        words = "error: --schedule: '1 month' needs --start, the first run, such as --start "
        refused(stepsched("update", "a", "--start", "none"), words)
    changed = stepsched("update", "a", "--end", f"2032-02-01T09:00{offset}")
    assert (changed.code, changed.document["job"]["schedule"]["end"][:10]) == (0, "2032-02-01"), changed.err
    removed = stepsched("update", "a", "--end", "none")
    assert (removed.code, removed.document["job"]["schedule"]["end"]) == (0, None), removed.err
    if not expression.startswith("rate"):
        moved = stepsched("update", "a", "--timezone", "Asia/Tokyo")
        assert (moved.code, moved.document["job"]["schedule"]["timezone"]) == (0, "Asia/Tokyo"), moved.err


def test_none_removes_an_optional_value(stepsched: CommandLine) -> None:
    optional = ("--end", "2031-01-01T00:00Z", "--max-delay", "1h", "--catch-up-within", "1h")
    create(stepsched, *optional, "--max-run-time", "1h", "--dead-letter", QUEUE, "--notify", TOPIC)
    names = ("end", "max-delay", "catch-up-within", "max-run-time", "dead-letter", "notify")
    done = stepsched("update", "a", *(word for name in names for word in (f"--{name}", "none")))
    assert done.code == 0, done.err
    job = stored(stepsched, "a").job
    assert isinstance(job.schedule, ss.Cron)
    assert job.schedule.end is None
    assert job.retry == ss.Retry(max_attempts=5)
    assert [job.catch_up_within, job.max_run_time, job.dead_letter, job.notify] == [None] * 4


def test_update_says_what_has_changed(stepsched: CommandLine) -> None:
    create(stepsched, "--input", '{"password": "old"}')
    done = stepsched("update", "a", "--schedule", "cron(0 5 * * ? *)", "--input", '{"password": "new"}')
    assert done.err == (
        "job 'a' updated to version 2: schedule: At 02:00, Europe/Paris -> At 05:00, Europe/Paris; "
        'input.password: "***" (the difference is not shown)\n'
    )


def test_nothing_to_change_is_said_and_is_no_error(stepsched: CommandLine) -> None:
    create(stepsched)
    done = stepsched("update", "a", "--timezone", "Europe/Paris", "--max-attempts", "5", "--enable")
    assert (done.code, done.err) == (0, "job 'a': nothing to change\n")
    assert done.document["version"] == 1


def test_a_paused_job_stays_paused_and_it_says_so(stepsched: CommandLine) -> None:
    create(stepsched)
    stepsched("pause", "a")
    done = stepsched("update", "a", "--jitter", "5m")
    assert done.err.endswith("; it stays paused, `stepsched resume a` resumes it\n")
    assert stored(stepsched, "a").status is ss.JobStatus.PAUSED
    enabled = stepsched("update", "a", "--enable")
    assert enabled.err == "job 'a': nothing to change; it stays paused, `stepsched resume a` resumes it\n"


def test_enable_resumes_what_disable_has_paused(stepsched: CommandLine) -> None:
    create(stepsched)
    stepsched("update", "a", "--disable")
    assert stored(stepsched, "a").status is ss.JobStatus.PAUSED
    stepsched("update", "a", "--enable")
    assert stored(stepsched, "a").status is ss.JobStatus.ACTIVE


def test_a_dry_run_of_update_shows_the_change_and_stores_nothing(stepsched: CommandLine) -> None:
    create(stepsched)
    done = stepsched("update", "a", "--jitter", "5m", "--dry-run", terminal=True)
    assert (done.code, done.out) == (0, "jitter: 0 seconds -> 5 minutes\n")
    assert stored(stepsched, "a").version == 1


def test_update_by_a_file_replaces_the_definition(stepsched: CommandLine, tmp_path: Path) -> None:
    create(stepsched)
    (tmp_path / "job.yaml").write_text("name: a\nevery: 1 hour\ntarget: ['true']\n")
    assert stepsched("update", "--file", "job.yaml").code == 0
    assert stored(stepsched, "a").job.retry == ss.Retry()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("none", "--jitter", "5m"), 3, "no job is named 'none'", id="no such job"),
        pytest.param((), 2, "expected the NAME of a job", id="nothing"),
        pytest.param(("a",), 2, "expected at least one change", id="no change"),
        pytest.param(("a", "--jitter", "2d"), 2, "--jitter: ", id="refused"),
        pytest.param(
            ("a", "--timezone", "Mars"), 2, "--timezone: 'Mars' is not an IANA time zone", id="zone"
        ),
        pytest.param(("a", "--schedule", "at(2029-01-01T00:00:00)"), 2, "would never run", id="never runs"),
        pytest.param(("a", "--target", "no_such_tasks:f"), 5, "no_such_tasks", id="no function"),
    ],
)
def test_a_refused_update_changes_nothing(
    stepsched: CommandLine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    create(stepsched)
    refused(stepsched("update", *arguments), words, code=code)
    assert stored(stepsched, "a").version == 1


def test_an_update_can_change_the_kind_of_the_schedule(stepsched: CommandLine) -> None:
    create(stepsched, "--end", "2031-01-01T00:00Z")
    for expression in ("rate(2 hours)", "at(2030-05-01T09:00:00)", "0 9 * * 1-5", "every 2 hours"):
        done = stepsched("update", "a", "--schedule", expression)
        assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "schedule"),
    [
        pytest.param(
            ("--schedule", "at(2030-05-01T09:00:00)"),
            ss.OneTime("2030-05-01T09:00", timezone="Europe/Paris"),
            id="a single run has the zone",
        ),
        pytest.param(
            ("--schedule", "rate(2 hours)"),
            ss.Rate("PT2H", end="2031-01-01T00:00Z"),
            id="a rate has the end",
        ),
        pytest.param(
            ("--schedule", "0 9 * * 1-5", "--start", "2030-02-01T00:00"),
            ss.Cron.from_crontab(
                "0 9 * * 1-5",
                timezone="Europe/Paris",
                start="2030-01-31T23:00Z",
                end="2031-01-01T00:00Z",
            ),
            id="a wall time is in the stored zone",
        ),
        pytest.param(
            ("--schedule", "every month", "--start", "2030-02-01T09:00", "--end", "none"),
            ss.Windowed("2030-02-01T09:00", every=ss.Frequency(months=1), timezone="Europe/Paris"),
            id="a calendar step",
        ),
        pytest.param(
            ("--start", "2030-02-01T00:00"),
            ss.Cron(
                "0 2 * * ? *",
                timezone="Europe/Paris",
                start="2030-01-31T23:00Z",
                end="2031-01-01T00:00Z",
            ),
            id="only the start",
        ),
    ],
)
def test_a_new_schedule_keeps_what_is_not_named(
    stepsched: CommandLine, arguments: tuple[str, ...], schedule: Any
) -> None:
    create(stepsched, "--end", "2031-01-01T00:00Z")
    done = stepsched("update", "a", *arguments)
    assert done.code == 0, done.err
    assert stored(stepsched, "a").job.schedule == schedule


def test_aws_targets_have_stand_ins_of_every_class() -> None:
    """So that a file can hold any job that a program's handlers run."""
    kinds = get_args(ss.targets.AwsTarget)
    assert set(ss.targets.SERVICE_TARGETS) <= set(kinds)
    assert {ss.ApiTarget, ss.targets.TemplateTarget} <= set(kinds)


def test_what_somebody_else_changes_in_the_meantime_is_not_lost(
    stepsched: CommandLine, tmp_path: Path
) -> None:
    """The other change is made while the function of the new target is imported."""
    create(stepsched)
    (tmp_path / "meddling_of_this_test.py").write_text(
        "import stepsched as ss\n"
        "with ss.LocalBackend('jobs.db') as backend:\n"
        "    client = ss.SchedulerClient(backend)\n"
        "    client.update(client.get('a').job.replace(description='by somebody else'))\n"
        "def report(): pass\n"
    )
    refused(
        stepsched("update", "a", "--target", "meddling_of_this_test:report"),
        "job 'a' was changed in the meantime; look at it with `stepsched get`, and repeat the command",
        code=4,
    )
    job = stored(stepsched, "a").job
    assert (job.description, job.target) == ("by somebody else", ss.CommandTarget(["true"]))
