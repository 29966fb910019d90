"""Crontabs: every line as cron runs it, or the reason why not, with its number."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.errors import JobFileError
from stepsched.testing import FakeClock

UTC = timezone.utc
Load = Callable[..., list[ss.Job]]
NEEDS_SHELL = pytest.mark.skipif(sys.platform == "win32", reason="/bin/sh")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a crontab and reads it."""

    def load(text: str, *, timezone: str = "UTC") -> list[ss.Job]:
        path = tmp_path / "crontab"
        path.write_text(text, "utf-8")
        return ss.load_crontab(path, timezone=timezone)

    return load


def command(job: ss.Job) -> ss.CommandTarget:
    assert isinstance(job.target, ss.CommandTarget)
    return job.target


def cron(job: ss.Job) -> ss.Cron:
    assert isinstance(job.schedule, ss.Cron)
    return job.schedule


WHOLE = """\
# Edit this file to introduce tasks to be run by cron.
#
# m h  dom mon dow   command

SHELL = /bin/bash
PATH="/usr/local/bin:/usr/bin:/bin"
MAILTO=""

# name: backup
0 2 * * *\t/usr/local/bin/backup.sh --all >/dev/null 2>&1
*/5 9-17 * * 1-5 cd /srv/app && LEVEL=1 ./manage.py clearsessions
  @weekly  report   --week\r
#0 5 * * * /not/this/one
30 4 1,15 * 5 half
"""


def test_a_whole_file_becomes_jobs_in_its_order(load: Load) -> None:
    jobs = load(WHOLE, timezone="Europe/Paris")
    assert [(str(job.schedule), cron(job).timezone) for job in jobs] == [
        ("cron(0 2 * * ? *)", "Europe/Paris"),
        ("cron(*/5 9-17 ? * MON-FRI *)", "Europe/Paris"),
        ("cron(0 0 ? * SUN *)", "Europe/Paris"),
        ("At 04:30, on the 1st and 15th or Friday, Europe/Paris", "Europe/Paris"),
    ]
    assert [command(job).command for job in jobs] == [
        ("/bin/bash", "-c", "/usr/local/bin/backup.sh --all >/dev/null 2>&1"),
        ("/bin/bash", "-c", "cd /srv/app && LEVEL=1 ./manage.py clearsessions"),
        ("/bin/bash", "-c", "report   --week"),
        ("/bin/bash", "-c", "half"),
    ]
    assert {job.name.rpartition("-")[0] or job.name for job in jobs} == {
        "backup",
        "manage.py",
        "report",
        "half",
    }
    for job in jobs:
        assert command(job).env == {"SHELL": "/bin/bash", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        assert (command(job).cwd, command(job).stdin) == ("~", "")


def test_a_run_is_neither_repeated_nor_made_up_nor_held_back_as_on_cron(load: Load) -> None:
    (job,) = load("* * * * * false")
    assert job.retry.max_attempts == 0
    assert (job.catch_up, job.overlap) == (ss.CatchUp.SKIP, ss.Overlap.ALLOW)


# -- variables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param("A=1", "1", id="plain"),
        pytest.param("A = 1 2 ", "1 2", id="blanks around"),
        pytest.param('A=" 1 "', " 1 ", id="double quotes"),
        pytest.param("A='1 # 2'", "1 # 2", id="single quotes"),
        pytest.param('"A"="1"', "1", id="quotes around the name"),
        pytest.param("A=", "", id="empty"),
        pytest.param("A=''", "", id="empty quotes"),
        pytest.param("A=$HOME/bin", "$HOME/bin", id="nothing is replaced"),
        pytest.param("A=b=c", "b=c", id="another equals sign"),
        pytest.param("A=1 # two", "1 # two", id="no comment at the end"),
    ],
)
def test_a_variable_has_the_value_that_cron_gives_it(load: Load, line: str, value: str) -> None:
    (job,) = load(f"{line}\n* * * * * true")
    assert command(job).env == {"A": value}


def test_variables_apply_to_the_lines_below(load: Load) -> None:
    jobs = load("* * * * * a\nX=1\n* * * * * b\nX=2\nHOME=/srv\n* * * * * c")
    assert [command(job).env for job in jobs] == [{}, {"X": "1"}, {"X": "2", "HOME": "/srv"}]
    assert [command(job).cwd for job in jobs] == ["~", "~", "/srv"]


def test_cron_tz_is_the_zone_of_the_lines_below_and_tz_that_of_the_command(load: Load) -> None:
    jobs = load(
        "0 9 * * * a\nCRON_TZ=Asia/Tokyo\nTZ=Europe/Paris\n0 9 * * * b\nCRON_TZ=\n0 9 * * * c",
        timezone="America/New_York",
    )
    assert [cron(job).timezone for job in jobs] == ["America/New_York", "Asia/Tokyo", "America/New_York"]
    assert [command(job).env for job in jobs] == [{}, {"TZ": "Europe/Paris"}, {"TZ": "Europe/Paris"}]


def test_random_delay_is_the_jitter_of_the_lines_below(load: Load) -> None:
    jobs = load("0 9 * * * a\nRANDOM_DELAY=45\n0 9 * * * b\nRANDOM_DELAY=0\n0 9 * * * c")
    assert [job.jitter for job in jobs] == [timedelta(0), timedelta(minutes=45), timedelta(0)]


def test_mail_is_warned_of_once(load: Load) -> None:
    text = "MAILTO=ops@example.com\n0 9 * * * a\nMAILTO=ops@example.com\nMAILTO=me\n0 9 * * * b\nMAILTO="
    with pytest.warns(ss.ScheduleWarning, match="no mail is sent to MAILTO=ops@example.com, me;") as caught:
        jobs = load(text)
    assert len(caught) == 1
    assert [command(job).env for job in jobs] == [{}, {}]


# -- the standard input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "run", "stdin"),
    [
        pytest.param("cat", "cat", "", id="none"),
        pytest.param("cat%", "cat", "", id="empty"),
        pytest.param("cat%one", "cat", "one\n", id="one line"),
        pytest.param("cat%one%two%", "cat", "one\ntwo\n", id="two lines"),
        pytest.param("cat%%one", "cat", "\none\n", id="an empty line first"),
        pytest.param(r"date +\%F", "date +%F", "", id="escaped"),
        pytest.param(r"date +\%F%50\% of it", "date +%F", "50% of it\n", id="escaped in both"),
        pytest.param(r"printf 'a\nb'", r"printf 'a\nb'", "", id="other backslashes stay"),
        pytest.param(r"echo a\\%b", r"echo a\\", "b\n", id="an escaped backslash escapes nothing"),
        pytest.param("echo a\\", "echo a\\", "", id="backslash at the end"),
        pytest.param(r"cat%a\nb", "cat", "a\\nb\n", id="other backslashes stay in the input"),
    ],
)
def test_a_percent_sign_begins_the_standard_input(load: Load, written: str, run: str, stdin: str) -> None:
    (job,) = load(f"* * * * * {written}")
    assert command(job).command == ("/bin/sh", "-c", run)
    assert command(job).stdin == stdin


@NEEDS_SHELL
def test_the_jobs_run_as_their_lines_say(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OUTSIDE", "yes")
    jobs = load(
        "WHO=Ada Lovelace\n"
        r'0 9 * * * read line; echo "$WHO $OUTSIDE $line $(pwd) 100\%" | tr a-z A-Z%hello \% you%rest'
        "\n0 10 * * * wc -c\n"
        "0 11 * * * echo lost >&2; exit 3"
    )
    start = datetime(2030, 1, 1, 8, tzinfo=UTC)
    with ss.LocalBackend(clock=FakeClock(start)) as backend:
        client = ss.SchedulerClient(backend)
        client.create_many(jobs)
        backend.run_until(start + timedelta(hours=23))
        runs = {run.scheduled_for.hour: run for run in client.runs()}
    assert runs[9].output == f"ADA LOVELACE YES HELLO % YOU {str(tmp_path.resolve()).upper()} 100%\n"
    assert (runs[10].output or "").strip() == "0"
    assert (runs[11].status, runs[11].attempt) == (ss.RunStatus.FAILED, 1)
    assert "exit code 3: lost" in (runs[11].error or "")


# -- names -----------------------------------------------------------------------------------------

SIX = "\n".join(f"{minute} 3 * * * /opt/bin/tidy {minute}" for minute in range(6))


def test_names_do_not_change_when_lines_are_added_moved_or_rescheduled(load: Load) -> None:
    names = {command(job).command: job.name for job in load(SIX)}
    assert len(set(names.values())) == 6
    more = "5 5 * * * new\nX=1\n" + "\n".join(reversed(SIX.replace(" 3 ", " 4 ").split("\n")))
    assert {command(job).command: job.name for job in load(more)}.items() >= names.items()


def test_the_same_command_twice_has_two_names(load: Load) -> None:
    lines = ["0 9 * * 1-5 report", "0 12 * * 6 report", "0 12 * * 6 report"]
    first, second, third = load("\n".join(lines))
    assert len({first.name, second.name, third.name}) == 3
    again = load("\n".join([lines[0], "1 1 * * * other", *lines[1:]]))
    assert [again[0].name, again[2].name, again[3].name] == [first.name, second.name, third.name]


@pytest.mark.parametrize(
    ("written", "program"),
    [
        pytest.param("/usr/local/bin/backup.sh --password=x", "backup.sh", id="path"),
        pytest.param("cd /srv && ./run now", "run", id="after cd"),
        pytest.param("[ -x /usr/sbin/anacron ] || ( cd / && run-parts /etc )", "run-parts", id="a test"),
        pytest.param("A=1 B='2' python3 -m x", "python3", id="variables"),
        pytest.param("nice -n 10 ionice", "ionice", id="nice"),
        pytest.param('"/opt/my app/x" y', "my", id="quotes"),
        pytest.param("été", "t", id="letters beyond ASCII"),
        pytest.param(":", "command", id="nothing to take"),
        pytest.param("x" * 200, "x" * 40, id="long"),
    ],
)
def test_a_name_begins_with_the_program(load: Load, written: str, program: str) -> None:
    (job,) = load(f"* * * * * {written}")
    assert job.name[:-9].endswith(program)
    assert "password" not in job.name


def test_a_comment_above_gives_the_name(load: Load) -> None:
    jobs = load("# name: a\n0 9 * * * x\n#name:b\n# of the second\n0 9 * * * y\n0 9 * * * z")
    assert [job.name for job in jobs[:2]] == ["a", "b"]
    assert jobs[2].name.startswith("z-")


@pytest.mark.parametrize(
    "between", ["# name: lost\n\n", "# name: lost\nA=1\n", "# name: lost\n# name: x\n"], ids=ascii
)
def test_a_name_that_is_of_no_job_is_warned_of(load: Load, between: str) -> None:
    with pytest.warns(ss.ScheduleWarning, match="the names 'lost' in comments are of no job"):
        (job,) = load(f"{between}0 9 * * * x")
    assert job.name != "lost"
    with pytest.warns(ss.ScheduleWarning, match="the names 'lost', 'end' in comments"):
        load(f"{between}0 9 * * * x\n# name: end")


def test_h_is_computed_from_the_name(load: Load) -> None:
    (job,) = load("# name: nightly\nH H(2-4) * * * x")
    assert job.schedule == ss.Cron.from_crontab("H H(2-4) * * *", hash_id="nightly")
    assert load("H * * * * x\nH * * * * y")[0].schedule == load("1 1 * * * z\nH * * * * x")[1].schedule


def test_a_file_that_is_read_again_changes_nothing(load: Load) -> None:
    client = ss.SchedulerClient()
    text = "H 3 * * * a\n0 4 * * * b\n0 5 * * * b"
    client.apply(load(text))
    assert client.plan(load(text), prune=True).is_empty


# -- refusals --------------------------------------------------------------------------------------


def refusal(load: Load, text: str) -> str:
    with pytest.raises(JobFileError) as caught:
        load(text)
    return caught.value.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("@reboot /bin/x", "@reboot names no time; call the command when", id="@reboot"),
        pytest.param("*/90 * * * * x", r"minutes: '\*/90': .* use rate\(90 minutes\)", id="step"),
        pytest.param("0 0 */2 * 1 x", "day-of-month: .* match both, other tools", id="two readings"),
        pytest.param("60 * * * * x", "minutes: '60': 60 is not between", id="value"),
        pytest.param("*/5 * * * * * x", r"after five fields, got '\*'; a crontab has no more", id="seconds"),
        pytest.param("0 9 * * ? * x", r"after five fields, got '\*'; a crontab has no more", id="year"),
        pytest.param("@daily */5 x", r"after the shortcut, got '\*/5'", id="shortcut and a field"),
        pytest.param("0 9 * * * -n x", "'-n', which is an option of OpenBSD's cron", id="option"),
        pytest.param("@every 5m x", "no @every; use Rate", id="@every"),
        pytest.param("@fortnightly x", "unknown shortcut '@fortnightly'", id="shortcut"),
        pytest.param("R * * * * x", "'R' is drawn again .* use H", id="R"),
        pytest.param("0~59 * * * * x", "'0~59' is drawn again .* use H", id="random range"),
        pytest.param("0 9 * * *", "expected five fields and a command, got", id="no command"),
        pytest.param("@daily", "expected a shortcut and a command, got '@daily'", id="shortcut alone"),
        pytest.param("0 9 * *", "expected five fields, .* got 4", id="four fields"),
        pytest.param("0 9 31 2 * x", "'0 9 31 2 \\*' would never run: .* in UTC", id="no date"),
        pytest.param("hello", "expected five fields", id="a word"),
        pytest.param("0 9 * * * root /bin/x", "'root' is a user; .*; remove the column", id="user"),
        pytest.param('A="1', "a pair of quotes, got '\"1'", id="open quote"),
        pytest.param('A="1" 2', "a pair of quotes", id="text after quotes"),
        pytest.param("CRON_TZ=Europe/Pariss", "CRON_TZ: 'Europe/Pariss' .*Europe/Paris", id="zone"),
        pytest.param("RANDOM_DELAY=x", "expected 0 to 1440 minutes, got 'x'", id="delay"),
        pytest.param("RANDOM_DELAY=1441", "expected 0 to 1440 minutes", id="delay of more than a day"),
        pytest.param("0 9 * * * a\0b", "it has a NUL character", id="NUL"),
        pytest.param("# name: ..\n0 9 * * * x", "'..' is not a name", id="name"),
        pytest.param("# name: ok\n0 9 * * * x", "duplicate job name: 'ok'", id="duplicate name"),
    ],
)
def test_a_line_that_is_no_job_is_refused_by_its_number(load: Load, line: str, reason: str) -> None:
    text = f"# name: ok\n1 2 3 4 * fine\n{line}\n2 2 3 4 * fine too"
    number = 3 + line.count("\n")
    found = refusal(load, text)
    assert re.match(f"line {number}: .*{reason}", found), found


def test_all_mistakes_of_a_file_are_listed_at_once(load: Load) -> None:
    text = "@reboot a\n* * * * * fine\n61 * * * * b\nCRON_TZ=Nowhere/X\n0 25 * * * c\n"
    assert [line.strip().partition(": ")[0] for line in refusal(load, text).split("\n")] == [
        "4 problems:",
        "line 1",
        "line 3",
        "line 4",
        "line 5",
    ]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobFileError, match="No such file"):
        ss.load_crontab(tmp_path / "nothing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(JobFileError, match="it is not UTF-8"):
        ss.load_crontab(tmp_path / "binary")
    (tmp_path / "empty").write_text("# nothing\n\nA=1\n")
    with pytest.raises(JobFileError, match="expected at least one job, got none"):
        ss.load_crontab(str(tmp_path / "empty"))
    with pytest.raises(JobFileError, match="expected the path of a crontab"):
        ss.load_crontab("")
    for path in (tmp_path, "a\0b", "\ud800", "x" * 5_000):
        with pytest.raises(JobFileError):
            ss.load_crontab(path)
    with pytest.raises(JobFileError, match="expected the path of a crontab"):
        ss.load_crontab(5)  # type: ignore[arg-type]
    (tmp_path / "many").write_text("0 9 * * 9 x\n" * 150)
    with pytest.raises(JobFileError) as caught:
        ss.load_crontab(tmp_path / "many")
    first, *lines = caught.value.reason.splitlines()
    assert (first, len(lines), lines[-1]) == ("150 problems:", 101, "  and 50 more")
    (tmp_path / "cron.d").mkdir()
    (tmp_path / "cron.d" / "app").write_text("* * * * * ada x\n")
    with pytest.raises(JobFileError, match="a system crontab, which has a column of users"):
        ss.load_crontab(tmp_path / "cron.d" / "app")
    with pytest.raises(ss.InvalidScheduleError, match="IANA"):
        ss.load_crontab(tmp_path / "empty", timezone="Nowhere")


def test_a_hostile_file_is_refused_at_once(load: Load) -> None:
    for text in ("*" * 300_000 + " x", "@" * 300_000, "* " * 300_000, "A" * 300_000, "%" * 300_000):
        assert len(refusal(load, text)) < 2_000


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_bytes(b"\xef\xbb\xbf0 9 * * * echo hello\n")
    (job,) = ss.load_crontab(tmp_path / "crontab")
    assert job.schedule == ss.Cron("0 9 * * ? *")
