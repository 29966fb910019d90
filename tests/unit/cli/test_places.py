"""Where jobs are: ``--backend``, ``STEPSCHED_BACKEND``, ``pyproject.toml``, and what is said when they cannot
be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

import stepsched as ss
from stepsched.cli.failures import code_of, sentence_of
from stepsched.cli.places import read_place, stand_ins
from stepsched.core.clock import SystemClock
from tests.unit.cli.conftest import CommandLine

ROLE = "arn:aws:iam::123456789012:role/scheduler"


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of AWS of this computer."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def store(path: Path, *names: str) -> None:
    """Makes a file with jobs of these names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ss.SchedulerClient(ss.LocalBackend(path, clock=SystemClock())) as client:
        for name in names:
            target = ss.CommandTarget(["true"])
            client.create(ss.Job(name=name, schedule=ss.parse_schedule("rate(1 day)"), target=target))
        client.backend.close()


# -- texts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "name", "group"),
    [
        pytest.param("local:jobs.db", "local", "jobs.db", None, id="a file"),
        pytest.param("local:/var/jobs.db", "local", "/var/jobs.db", None, id="an absolute path"),
        pytest.param("local:a?group=b.db", "local", "a?group=b.db", None, id="a file with a question mark"),
        pytest.param(f"eventbridge:{ROLE}", "eventbridge", ROLE, None, id="a role"),
        pytest.param(f"eventbridge:{ROLE}?group=a-b", "eventbridge", ROLE, "a-b", id="a role and a group"),
        pytest.param("stack:jobs", "stack", "jobs", None, id="a stack"),
        pytest.param("stack:jobs?prefix=blue", "stack", "jobs", None, id="a stack and a prefix"),
    ],
)
def test_a_place_is_read(text: str, kind: str, name: str, group: str | None) -> None:
    place = read_place(text)
    assert (place.kind, place.name, place.options.get("group")) == (kind, name, group)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        pytest.param("", "got ''", id="empty"),
        pytest.param("jobs.db", "use local:jobs.db", id="a file without its kind"),
        pytest.param("redis:jobs", "got 'redis:jobs'", id="an unknown kind"),
        pytest.param("local:", "use local:jobs.db", id="no file"),
        pytest.param("stack:", "write the name after stack:", id="no stack"),
        pytest.param("eventbridge:", "write the name after eventbridge:", id="no role"),
        pytest.param(ROLE, f"use eventbridge:{ROLE}", id="a role without its kind"),
        pytest.param("sqlite:///jobs.db", "use local:jobs.db", id="a URL of SQLite"),
        pytest.param("sqlite:////var/jobs.db", "use local:/var/jobs.db", id="an absolute URL of SQLite"),
        pytest.param("file:///var/jobs.db", "use local:/var/jobs.db", id="a URL of a file"),
        pytest.param("local://jobs.db", "use local:jobs.db", id="a URL with our kind"),
        pytest.param("local::memory:", "would end with the command", id="memory"),
        pytest.param(f"eventbridge:{ROLE}?", "the options are group and dead_letter", id="no option"),
        pytest.param(f"eventbridge:{ROLE}?group=", "the options are group and dead_letter", id="no group"),
        pytest.param(
            f"eventbridge:{ROLE}?groups=a", "the options are group and dead_letter", id="an unknown option"
        ),
        pytest.param("stack:jobs?group=a", "the options are prefix, state_machine_output", id="a group"),
        pytest.param(
            f"eventbridge:{ROLE}?group=a&group=b", "the options are group and dead_letter", id="two groups"
        ),
        pytest.param("eventbridge:scheduler", "arn:aws:iam::<account>:role/<name>", id="the name of a role"),
        pytest.param("local:~nobody-has-this-name/jobs.db", "home directory", id="an unknown home"),
        pytest.param("local:/", "use 'local:/jobs.db'", id="a folder"),
        pytest.param("local:.", "expected the path of a file", id="this folder"),
    ],
)
def test_a_malformed_place_is_one_line_with_the_cure_and_exit_code_2(
    stepsched: CommandLine, text: str, cure: str
) -> None:
    done = stepsched("list", "--backend", text, "--region", "eu-west-1")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert cure in done.err


def test_a_tilde_is_the_home_directory(
    stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    store(tmp_path / "home" / "jobs.db", "at-home")
    assert stepsched("list", "-o", "name", "--backend", "local:~/jobs.db").out == "at-home\n"


def test_a_command_line_runs_no_job_of_a_file() -> None:
    """The handlers with which it opens a file are only there so that jobs can be stored."""
    for handler in stand_ins().values():
        with pytest.raises(AssertionError, match="a command line has run"):
            handler("a target")


# -- which place counts --------------------------------------------------------------------------------


def test_the_option_counts_before_the_environment_before_the_project(
    stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option", "environment", "project"):
        store(tmp_path / f"{name}.db", name)
    (tmp_path / "pyproject.toml").write_text('[tool.stepsched]\nbackend = "local:project.db"\n')
    assert stepsched("list", "-o", "name").out == "project\n"
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:environment.db")
    assert stepsched("list", "-o", "name").out == "environment\n"
    assert stepsched("--backend", "local:option.db", "list", "-o", "name").out == "option\n"
    later = stepsched("--backend", "local:none.db", "list", "-o", "name", "--backend", "local:option.db")
    assert later.out == "option\n"


def test_a_path_in_the_project_is_beside_its_file(
    stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path / "data" / "jobs.db", "of-the-project")
    (tmp_path / "pyproject.toml").write_text('[tool.stepsched]\nbackend = "local:data/jobs.db"\n')
    (tmp_path / "src" / "part").mkdir(parents=True)
    (tmp_path / "src" / "pyproject.toml").write_text("[project]\nname = 'part'\n")
    monkeypatch.chdir(tmp_path / "src" / "part")
    assert stepsched("list", "-o", "name").out == "of-the-project\n"


@pytest.mark.parametrize("command", ["apply jobs.yaml", "plan jobs.yaml", "serve absent/jobs.db", "list"])
def test_a_folder_that_is_absent_is_a_wrong_value(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:absent/jobs.db")
    (tmp_path / "jobs.yaml").write_text("[{name: a, schedule: rate(1 hour), target: ['true']}]")
    done = stepsched(*command.split())
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert "correct the path" in done.err
    assert not (tmp_path / "absent").exists()


def test_the_home_folder_may_be_a_tilde(
    stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    line = ("create", "a", "--schedule", "rate(1 hour)", "--backend", "local:~/jobs.db", "--", "true")
    assert stepsched(*line).code == 0
    assert (tmp_path / "home" / "jobs.db").exists()


def test_a_relative_path_of_the_environment_is_beside_the_working_folder(
    stepsched: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path / "part" / "jobs.db", "here")
    monkeypatch.setenv("STEPSCHED_BACKEND", "local:jobs.db")
    monkeypatch.chdir(tmp_path / "part")
    assert stepsched("list", "-o", "name").out == "here\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[tool", "cannot read", id="no TOML"),
        pytest.param("[tool]\nstepsched = 1", "expected a table [tool.stepsched]", id="no table"),
        pytest.param('[tool.stepsched]\nbackends = "local:a"', "got backends = 'local:a'", id="unknown"),
        pytest.param("[tool.stepsched]\nbackend = 1", "got backend = 1", id="no text"),
        pytest.param('[tool.stepsched]\nbackend = "jobs.db"', "for backend in", id="no place"),
        pytest.param('[tool.stepsched]\nregion = "eu-west-1"', "no backend is named", id="no backend"),
    ],
)
def test_a_mistake_in_the_project_names_its_file(
    stepsched: CommandLine, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    done = stepsched("list")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert words in done.err
    assert "pyproject.toml" in done.err


def test_a_mistake_in_the_project_does_not_matter_where_a_file_is_given(
    stepsched: CommandLine, tmp_path: Path
) -> None:
    store(tmp_path / "jobs.db", "a")
    (tmp_path / "pyproject.toml").write_text("[tool")
    assert stepsched("list", "--backend", "local:jobs.db").code == 0


def test_a_command_that_reads_makes_no_file(stepsched: CommandLine, tmp_path: Path) -> None:
    done = stepsched("list", "--backend", "local:jobs.db")
    words = "`stepsched create`, `apply` or `serve` makes one, or correct the path"
    assert (done.code, done.err) == (2, f"error: there is no file jobs.db; {words}\n")
    assert not (tmp_path / "jobs.db").exists()


def test_a_file_that_is_no_database_is_refused_and_stays(stepsched: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, and no database at all")
    done = stepsched("list", "--backend", "local:notes.txt")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "choose another file" in done.err
    assert (tmp_path / "notes.txt").read_text() == "these are notes, and no database at all"


# -- AWS -----------------------------------------------------------------------------------------------


def test_a_missing_region_names_the_option(stepsched: CommandLine) -> None:
    for place in (f"eventbridge:{ROLE}", "stack:jobs"):
        done = stepsched("list", "--backend", place)
        assert (done.code, done.err) == (
            2,
            "error: You must specify a region; use --region NAME, or set AWS_DEFAULT_REGION\n",
        )


def test_missing_credentials_name_the_option_and_end_with_exit_code_6(stepsched: CommandLine) -> None:
    done = stepsched("list", "--backend", f"eventbridge:{ROLE}", "--region", "eu-west-1")
    assert (done.code, done.err) == (
        6,
        "error: Unable to locate credentials; use --profile NAME, or set AWS_PROFILE or credentials\n",
    )


def test_an_unknown_profile_names_the_option(stepsched: CommandLine) -> None:
    done = stepsched("list", "--backend", "stack:jobs", "--profile", "none")
    cure = "correct --profile, AWS_PROFILE or ~/.aws/config"
    assert (done.code, done.err) == (2, f"error: The config profile (none) could not be found; {cure}\n")


def test_a_malformed_endpoint_names_the_option(stepsched: CommandLine) -> None:
    given = ("--backend", f"eventbridge:{ROLE}", "--region", "eu-west-1", "--endpoint-url", "localhost:4566")
    done = stepsched("list", *given)
    assert done.code == 2
    assert "expected --endpoint-url to be such as 'http://" in done.err


def test_the_project_gives_the_region(stepsched: CommandLine, tmp_path: Path) -> None:
    text = f'[tool.stepsched]\nbackend = "eventbridge:{ROLE}"\nregion = "eu-west-1"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert "Unable to locate credentials" in stepsched("list").err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        pytest.param(
            ss.BackendError(
                "cloudformation", "DescribeStacks", "NO_STACK", detail="no stack 'a' in eu-west-1"
            ),
            3,
            "no stack 'a' in eu-west-1",
            id="no stack",
        ),
        pytest.param(
            ss.BackendError(
                "cloudformation",
                "DescribeStacks",
                "NO_OUTPUT",
                detail="stack 'a' has no output TableName; it has: none. Use the stack of "
                "stepsched.deploy.template(...), or the names of its outputs as state_machine_output and "
                "table_output",
            ),
            1,
            "cloudformation DescribeStacks failed with NO_OUTPUT: stack 'a' has no output TableName; it has: "
            "none. Use the stack of stepsched.deploy.template, or --backend 'stack:NAME?prefix=TEXT' for one "
            "that was deployed with --prefix",
            id="another stack",
        ),
        pytest.param(
            ss.errors.AccessDeniedError("scheduler", "GetSchedule", "AccessDeniedException", detail="no"),
            6,
            "scheduler GetSchedule failed with AccessDeniedException: no",
            id="no access",
        ),
        pytest.param(
            ss.BackendError("scheduler", "GetSchedule", "AMBIGUOUS", detail="two; give group="),
            2,
            "two; use --group NAME",
            id="two groups",
        ),
        pytest.param(
            ss.UnsupportedError("a", "local", "no", ("backend.register(LambdaTarget, function)",)),
            5,
            "the local backend refuses job 'a': no "
            "(instead: a program that registers a handler for LambdaTarget)",
            id="no handler",
        ),
    ],
)
def test_errors_are_said_in_words_of_the_command_line(error: Exception, code: int, sentence: str) -> None:
    assert (code_of(error), sentence_of(error)) == (code, sentence)
