"""Jobs from files: everything or nothing, and every mistake with its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss

HEAD = """
from __future__ import annotations
from datetime import timedelta
import stepsched as ss

def work() -> None: ...

def job(name: str) -> ss.Job:
    return ss.Job(name=name, schedule=ss.Rate(timedelta(hours=1)), target=ss.HandlerTarget(work))

"""
YAML = """
- name: {name}
  schedule: {{kind: rate, every: PT1H}}
  target: {{kind: command, command: [echo, hi]}}
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of that name and tells its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def modules() -> Iterator[None]:
    """Forgets the modules that a test has loaded."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def document(name: str = "tidy", **changes: Any) -> dict[str, Any]:
    """A job as it stands in a file."""
    return {
        "name": name,
        "schedule": {"kind": "rate", "every": "PT1H"},
        "target": {"kind": "command", "command": ["echo", "hi"]},
        **changes,
    }


def job(name: str = "tidy") -> ss.Job:
    """What ``document`` says."""
    return ss.Job(name=name, schedule=ss.Rate(timedelta(hours=1)), target=ss.CommandTarget(["echo", "hi"]))


def refusal(source: str | Path) -> str:
    """Why a file of jobs is refused."""
    with pytest.raises(ss.errors.JobFileError) as refused:
        ss.load_jobs(source)
    assert refused.value.source == str(source)
    assert str(refused.value) == f"cannot load jobs from {source}: {refused.value.reason}"
    return refused.value.reason


# -- documents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("jobs.json", json.dumps([document("b"), document("a")]), id="json list"),
        pytest.param("jobs.json", json.dumps({"jobs": [document("b"), document("a")]}), id="json mapping"),
        pytest.param("JOBS.JSON", json.dumps([document("b"), document("a")]), id="json in capitals"),
        pytest.param("jobs.yaml", YAML.format(name="b") + YAML.format(name="a"), id="yaml list"),
        pytest.param("jobs.yml", YAML.format(name="b") + YAML.format(name="a"), id="yml"),
        pytest.param(
            "jobs.yaml", "jobs:\n" + YAML.format(name="b") + YAML.format(name="a"), id="yaml mapping"
        ),
        pytest.param("jobs.yaml", json.dumps([document("b"), document("a")]), id="json as yaml"),
    ],
)
def test_the_jobs_of_a_document_come_in_their_order(write: Write, name: str, content: str) -> None:
    path = write(name, content)
    assert ss.load_jobs(path) == [job("b"), job("a")]
    assert ss.load_jobs(str(path)) == [job("b"), job("a")]


def test_what_a_job_dumps_is_what_a_file_holds(write: Write) -> None:
    jobs = [job("a"), job("b").replace(input={"é": [1, None]}, retry=ss.Retry(max_attempts=0))]
    path = write("jobs.json", f"[{','.join(each.model_dump_json() for each in jobs)}]")
    assert ss.load_jobs(path) == jobs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("jobs.json", '[{"name": "tidy", "schedule": SCHEDULE, "target": TARGET}]'),
        ("jobs.yaml", "- {name: tidy, schedule: SCHEDULE, target: TARGET}"),
    ],
)
def test_a_step_of_seconds_is_read(write: Write, name: str, content: str) -> None:
    schedule = '{"kind": "windowed", "start": "2030-01-01T00:00", "every": {"seconds": 10}}'
    target = '{"kind": "command", "command": ["echo", "hi"]}'
    path = write(name, content.replace("SCHEDULE", schedule).replace("TARGET", target))
    often = ss.Windowed("2030-01-01T00:00", every=ss.Frequency(seconds=10))
    assert ss.load_jobs(path) == [job().replace(schedule=often)]


def test_half_a_second_is_refused_with_its_place(write: Write) -> None:
    often = {"kind": "windowed", "start": "2030-01-01T00:00", "every": {"seconds": 0.5}}
    reason = refusal(write("jobs.json", json.dumps([document(schedule=often)])))
    assert "seconds" in reason
    assert "0.5" in reason


def test_a_job_of_several_targets_is_read_with_its_context_attributes(write: Write) -> None:
    request = {"reference": ss.context.EXECUTION_ID}
    wanted = ss.Job(
        name="both",
        schedule=ss.Rate(timedelta(hours=1)),
        target=ss.ParallelTarget([ss.ApiTarget("ecs", "runTask", request), ss.CommandTarget(["true"])]),
        notify=ss.TopicTarget("arn:aws:sns:eu-west-1:123456789012:alarms"),
        on_failure=ss.OnFailure.STOP,
    )
    path = write("both.json", f"[{wanted.model_dump_json()}]")
    assert ss.load_jobs(path) == [wanted]
    broken = wanted.model_dump_json().replace('["true"]', "[]")
    with pytest.raises(ss.errors.JobFileError, match="command"):
        ss.load_jobs(write("broken.json", f"[{broken}]"))


def test_yaml_s_own_times_are_read(write: Write) -> None:
    content = YAML.format(name="launch").replace(
        "{kind: rate, every: PT1H}", "{kind: one_time, at: 2030-01-01T09:00:00, timezone: Asia/Tokyo}"
    )
    (loaded,) = ss.load_jobs(write("jobs.yaml", content))
    assert loaded.schedule == ss.OneTime("2030-01-01T09:00", timezone="Asia/Tokyo")


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("[]", "expected at least one job, got none", id="empty list"),
        pytest.param('{"jobs": []}', "expected at least one job, got none", id="empty mapping"),
        pytest.param("{}", "expected a list of jobs, or a mapping with that list under 'jobs'", id="nothing"),
        pytest.param(
            "null",
            "expected a list of jobs, or a mapping with that list under 'jobs'; got nothing",
            id="null",
        ),
        pytest.param(
            json.dumps({"a": document()}),
            "expected a list of jobs, or a mapping with that list under 'jobs'; got jobs by name: write each",
            id="jobs by name",
        ),
        pytest.param("5", "expected a list of jobs", id="number"),
        pytest.param('"jobs"', "expected a list of jobs", id="text"),
        pytest.param('{"jobs": null}', "expected a list of jobs", id="no list"),
        pytest.param('{"jobs": [], "version": 1}', "expected a list of jobs", id="another key"),
        pytest.param(json.dumps(document()), "expected a list of jobs", id="one job alone"),
        pytest.param("[1]", "job 1: expected a mapping with name, schedule and target", id="number as a job"),
        pytest.param(
            json.dumps([document("a"), document("b"), document("a")]),
            "duplicate job name: 'a' occurs twice",
            id="name twice",
        ),
        pytest.param(
            json.dumps([document("a"), document("b ")]),
            "job 2 ('b '): name: 'b ' is not a name: 1 to 256",
            id="name",
        ),
        pytest.param(
            json.dumps([document(schedule={"kind": "cron", "expression": "61 * * * ? *"})]),
            "job 1 ('tidy'): schedule.expression: invalid schedule '61 * * * ? *': minutes: '61'",
            id="schedule",
        ),
        pytest.param(
            json.dumps([document(schedule={"kind": "rate", "every": "PT1H", "evry": 1})]),
            "job 1 ('tidy'): schedule.evry: unknown field; did you mean every?",
            id="unknown field of a schedule",
        ),
        pytest.param(
            json.dumps([document(target={"kind": "lambda", "function_arn": "report"})]),
            "job 1 ('tidy'): target.function_arn: 'report' is not an ARN; the form is arn:aws:lambda:",
            id="target",
        ),
        pytest.param(
            json.dumps([document(target={"kind": "queue"})]),
            "job 1 ('tidy'): target: a target of kind queue needs queue_arn",
            id="missing field of a target",
        ),
        pytest.param(
            json.dumps([document(tags={"team": 5})]),
            "job 1 ('tidy'): tags.team: expected a text, got 5; quote it",
            id="tag",
        ),
        pytest.param(json.dumps([document(colour="red")]), "job 1 ('tidy'): colour: ", id="unknown field"),
        pytest.param(
            '[{"name": "a"}]', "2 problems:\n  job 1 ('a'): schedule: it is missing", id="missing fields"
        ),
        pytest.param('[{"retry": 3}]', "4 problems:\n  job 1: schedule: ", id="job without a name"),
    ],
)
def test_a_mistake_in_a_document_is_told_with_its_place(
    write: Write, suffix: str, content: str, reason: str
) -> None:
    assert refusal(write(f"jobs.{suffix}", content)).startswith(reason)


def test_all_mistakes_of_a_job_are_told_at_once(write: Write) -> None:
    content = json.dumps([document("a ", overlap="never", jitter="-PT1S")])
    reason = refusal(write("jobs.json", content))
    first, *lines = reason.split("\n  ")
    assert first == "3 problems:"
    assert lines[0].startswith("job 1 ('a '): name: 'a ' is not a name: 1 to 256 visible characters")
    assert lines[1:] == [
        "job 1 ('a '): overlap: expected 'allow', 'skip' or 'queue', got 'never'",
        "job 1 ('a '): jitter: expected a value greater than or equal to 0 seconds, got -1 second",
    ]


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_all_mistakes_of_a_file_are_told_at_once(write: Write, suffix: str) -> None:
    documents = [
        document("a ", overlap="never"),
        document("fine"),
        document("fine"),
        5,
        document("c", jitter="-PT1S"),
        document("c"),
        document("c"),
    ]
    reason = refusal(write(f"jobs.{suffix}", json.dumps(documents)))
    first, *lines = reason.split("\n  ")
    assert first == "6 problems:"
    assert [line.rpartition(": ")[0] for line in lines[:4]] == [
        "job 1 ('a '): name: 'a ' is not a name",
        "job 1 ('a '): overlap",
        "job 4",
        "job 5 ('c'): jitter",
    ]
    assert lines[4:] == [
        "duplicate job name: 'fine' occurs twice",
        "duplicate job name: 'c' occurs 3 times",
    ]


def test_what_is_said_of_a_job_is_bounded_whatever_the_file_holds(write: Write) -> None:
    documents = [document("x" * 1_000_000), document("y", input="z" * 1_000_000)]
    reason = refusal(write("jobs.json", json.dumps(documents)))
    assert "1 to 256" not in reason  # after what was quoted
    assert "job 2 ('y'): input: " in reason
    assert "262,144" in reason
    assert len(reason) < 5_000


@pytest.mark.parametrize("place", ["input", "target", "schedule", "tags", "retry"])
def test_a_part_that_nests_deeply_is_refused_as_part_of_its_job(write: Write, place: str) -> None:
    nested: object = 1
    for _ in range(500):
        nested = {"a": nested}
    text = json.dumps([document() | {place: nested}])
    assert refusal(write("jobs.json", text)).startswith(f"job 1 ('tidy'): {place}")


# -- aliases -----------------------------------------------------------------------------------------


def test_aliases_and_merges_share_a_policy_among_the_jobs_of_a_file(write: Write) -> None:
    content = (
        "- &first\n  name: a\n  schedule: {kind: rate, every: PT1H}\n"
        "  target: {kind: command, command: [echo, hi]}\n  retry: &patient {max_attempts: 9}\n"
        "- <<: *first\n  name: b\n"
        "- {name: c, schedule: {kind: rate, every: PT2H}, target: {kind: command, command: [x]},\n"
        "   retry: *patient}\n"
    )
    jobs = ss.load_jobs(write("jobs.yaml", content))
    assert [(each.name, each.retry.max_attempts) for each in jobs] == [("a", 9), ("b", 9), ("c", 9)]


def test_a_long_file_may_share_much(write: Write) -> None:
    """The bound grows with the file: these hold 117,000 values with their aliases written out."""
    shared = ", ".join(str(number) for number in range(100))
    head = YAML.format(name="j0") + f"  input: &numbers [{shared}]\n"
    rest = "".join(YAML.format(name=f"j{number}") + "  input: *numbers\n" for number in range(1, 1_000))
    jobs = ss.load_jobs(write("jobs.yaml", head + rest))
    assert (len(jobs), jobs[-1].input) == (1_000, list(range(100)))


def levels(depth: int, width: int) -> str:
    """A list of lists that repeat the one before: ``width ** depth`` items of a few lines."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("content", "most"),
    [
        pytest.param(levels(9, 9), "100,000", id="nine levels of nine"),
        pytest.param(levels(2_000, 2), "100,000", id="two thousand levels of two"),
        pytest.param(
            f"- &long [{', '.join('x' * 1_000)}]\n" + "- [*long]\n" * 1_000, "100,000", id="long times long"
        ),
        pytest.param(
            "- &map {" + ", ".join(f"k{n}: 1" for n in range(1_000)) + "}\n" + "- {<<: *map}\n" * 1_000,
            "100,000",
            id="merges",
        ),
        pytest.param(
            YAML.format(name="a")
            + "  input:\n"
            + "".join(f"    {line}\n" for line in levels(9, 9).splitlines()),
            "100,000",
            id="as the input of a job",
        ),
    ],
)
def test_aliases_that_make_much_of_little_are_refused(write: Write, content: str, most: str) -> None:
    reason = refusal(write("jobs.yaml", content))
    assert reason == f"its aliases expand to more than {most} values; use fewer aliases"


def test_the_bound_is_on_what_the_aliases_stand_for(write: Write) -> None:
    """A list of 99 items counts 100 wherever it stands, and what holds it all counts one."""
    listed = f"- &long [{', '.join('x' * 99)}]\n"
    within = listed + "- *long\n" * 998 + "- x\n" * 99
    assert "job 1: expected a mapping" in refusal(write("within.yaml", within))
    assert "aliases" in refusal(write("beyond.yaml", within + "- x\n"))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        pytest.param("jobs.json", "", "it is not JSON: Expecting value: line 1 column 1", id="empty json"),
        pytest.param("jobs.json", "[}", "it is not JSON: Expecting value: line 1 column 2", id="json"),
        pytest.param("jobs.json", "[] []", "it is not JSON: Extra data", id="two documents in json"),
        pytest.param(
            "jobs.json",
            '[{"name": "a", "name": "b"}]',
            "duplicate key in one object: 'name'",
            id="key twice",
        ),
        pytest.param(
            "jobs.json",
            '[{"name": "a", "input": {"deep": [{"x": 1, "x": 1}]}}]',
            "duplicate key in one object: 'x'",
            id="key twice, deep inside",
        ),
        pytest.param("jobs.json", b'["\xe9"]', "it is not UTF-8", id="latin-1 json"),
        pytest.param("jobs.json", "[]".encode("utf-16"), "it is not UTF-8", id="utf-16 json"),
        pytest.param("jobs.yaml", b"- \xe9\n", "it is not UTF-8", id="latin-1 yaml"),
        pytest.param("jobs.yaml", "", "expected a list of jobs", id="empty yaml"),
        pytest.param("jobs.yaml", "[a: b: c", "it is not YAML", id="yaml"),
        pytest.param("jobs.yaml", "\t- a", "it is not YAML", id="tab in yaml"),
        pytest.param("jobs.yaml", "--- a\n--- b\n", "it is not YAML", id="two documents in yaml"),
        pytest.param(
            "jobs.yaml", "- !!python/object/apply:os.system [exit]\n", "it is not YAML", id="python in yaml"
        ),
        pytest.param(
            "jobs.yaml", "- 1\n- &a [1, *a]\n", "the value at line 2 contains itself through", id="ring"
        ),
        pytest.param("jobs.yaml", "&a {b: {c: [*a]}}", "line 1 contains itself through an alias", id="wide"),
        pytest.param("jobs.yaml", "[" * 9_000 + "]" * 9_000, "it nests too deeply", id="deep yaml"),
        pytest.param("jobs.json", "[" * 90_000 + "]" * 90_000, "it nests too deeply", id="deep json"),
        pytest.param("jobs.json", "[" + "9" * 9_000 + "]", "it is not JSON: Exceeds the limit", id="digits"),
        pytest.param("jobs.yaml", "[" + "9" * 9_000 + "]", "it is not YAML: Exceeds the limit", id="digits"),
        pytest.param(
            "jobs.yaml",
            YAML.format(name="a") + "  input: {who: !!binary aGVsbG8=}\n",
            "job 1 ('a'): input: input.who is a bytes, which is not JSON; use strings, numbers, true, false, "
            "nothing, lists",
            id="bytes as input",
        ),
        pytest.param(
            "jobs.yaml",
            YAML.format(name="true"),
            "job 1: name: true is not a name: 1 to 256 visible characters, with spaces only between them "
            "(and neither '.' nor '..'); quote it (line 2)",
            id="yaml's true",
        ),
    ],
)
def test_a_document_that_cannot_be_read_is_refused(
    write: Write, name: str, content: str | bytes, problem: str
) -> None:
    assert problem in refusal(write(name, content))


@pytest.mark.parametrize("name", ["jobs.json", "jobs.yaml", "jobs.yml", "jobs.py"])
def test_a_missing_file_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    assert "no such file" in refusal(tmp_path / name).lower()


@pytest.mark.parametrize("name", ["jobs.json", "jobs.yaml", "jobs.py"])
def test_a_folder_is_no_file_of_jobs(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert refusal(tmp_path / name)


def test_yaml_names_the_extra_it_needs(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)  # as on a machine without it
    path = write("jobs.yaml", YAML.format(name="a"))
    assert refusal(path) == "YAML needs the extra: pip install 'stepsched[yaml]'"


# -- modules -----------------------------------------------------------------------------------------


def test_a_python_file_gives_the_jobs_and_lists_of_jobs_at_its_top(write: Write, modules: None) -> None:
    path = write(
        "jobs_at_top.py",
        HEAD + "first = job('a')\n"
        "more = [job('b'), 'no job', job('c')]\n"
        "both = (first, job('d'))\n"
        "number = 5\n"
        "text = 'job'\n"
        "hidden = {'e': job('e')}\n",
    )
    assert [each.name for each in ss.load_jobs(path)] == ["a", "b", "c", "d"]


def test_the_functions_of_a_python_file_are_found_again_by_name(write: Write, modules: None) -> None:
    path = write("jobs_with_functions.py", HEAD + "first = job('a')\n")
    (loaded,) = ss.load_jobs(path)
    assert loaded.target == ss.HandlerTarget("jobs_with_functions:work")
    assert ss.load_jobs(str(path)) == [loaded]


def test_a_python_file_is_run_once(write: Write, modules: None) -> None:
    once = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch(exist_ok=False)\n"
    path = write("jobs_run_once.py", HEAD + once + "first = job('a')\n")
    assert ss.load_jobs(path) == ss.load_jobs(path)


def test_a_python_file_in_the_place_of_a_loaded_module_is_refused(write: Write, modules: None) -> None:
    assert refusal(write("json.py", HEAD + "first = job('a')\n")) == (
        "a module named 'json' is already imported; rename the file"
    )
    ss.load_jobs(write("one/jobs_twin.py", HEAD + "first = job('a')\n"))
    other = write("two/jobs_twin.py", HEAD + "first = job('b')\n")
    assert refusal(other) == "a module named 'jobs_twin' is already imported; rename the file"


def test_what_a_python_file_raises_is_told_and_nothing_is_left_of_it(write: Write, modules: None) -> None:
    path = write("jobs_broken.py", HEAD + "first = job('a')\nraise RuntimeError('no luck')\n")
    with pytest.raises(ss.errors.JobFileError, match="the import failed: RuntimeError: no luck"):
        ss.load_jobs(path)
    assert "jobs_broken" not in sys.modules
    path.write_text(HEAD + "first = job('a')\n")
    assert [each.name for each in ss.load_jobs(path)] == ["a"]


@pytest.mark.parametrize(
    ("name", "tail", "reason"),
    [
        pytest.param("jobs_none.py", "number = 5\n", "expected at least one job, got none", id="no job"),
        pytest.param(
            "jobs_hidden.py",
            "jobs = {'a': job('a')}\n",
            "expected at least one job, got none",
            id="in a mapping",
        ),
        pytest.param(
            "jobs_double.py",
            "a = job('a')\nb = job('a')\n",
            "duplicate job name: 'a' occurs twice",
            id="name twice",
        ),
    ],
)
def test_a_python_file_must_hold_jobs_with_names_of_their_own(
    write: Write, modules: None, name: str, tail: str, reason: str
) -> None:
    assert refusal(write(name, HEAD + tail)) == reason


def test_one_job_under_two_names_is_one_job(write: Write, modules: None) -> None:
    path = write("jobs_aliased.py", HEAD + "a = job('a')\nb = a\nboth = [a, b]\n")
    assert [each.name for each in ss.load_jobs(path)] == ["a"]


def test_a_module_is_loaded_by_its_dotted_name(
    write: Write, modules: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("jobs_package/__init__.py", "")
    write("jobs_package/nightly.py", HEAD + "jobs = [job('a'), job('b')]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = ss.load_jobs("jobs_package.nightly")
    assert [each.name for each in loaded] == ["a", "b"]
    assert loaded[0].target == ss.HandlerTarget("jobs_package.nightly:work")


@pytest.mark.parametrize("name", ["no_such_module", "no.such.module", "jobs.toml", "a ", "é"])
def test_a_name_that_is_neither_file_nor_module_is_answered_with_the_forms(name: str) -> None:
    reason = refusal(name)
    assert "No module named" in reason
    assert reason.endswith("; use a dotted module name or a path ending in .json, .yaml, .yml or .py")


def test_a_module_that_lacks_another_says_which(write: Write, modules: None, tmp_path: Path) -> None:
    path = write("jobs_lacking.py", "import no_such_library\n")
    assert refusal(path) == "the import failed: ModuleNotFoundError: No module named 'no_such_library'"
    sys.path.insert(0, str(tmp_path))
    try:
        assert refusal("jobs_lacking") == "the import failed: No module named 'no_such_library'"
    finally:
        sys.path.remove(str(tmp_path))


def test_a_module_without_jobs_is_refused() -> None:
    assert refusal("json") == "expected at least one job, got none"


@pytest.mark.parametrize(
    "path", ["a\0.json", "a\0.yaml", "\ud800.json", "\ud800.yaml", "x" * 5_000 + ".json"]
)
def test_what_is_no_path_is_refused_in_both_directions(path: str) -> None:
    job = ss.Job(name="a", schedule=ss.Cron("0 9 * * ? *"), target=ss.CommandTarget(["true"]))
    with pytest.raises(ss.errors.JobFileError, match="cannot load jobs from"):
        ss.load_jobs(path)
    with pytest.raises(ss.errors.JobFileError, match="cannot write jobs to"):
        ss.dump_jobs([job], path)
    for other in (None, 5):
        with pytest.raises(ss.errors.JobFileError, match="expected a path ending in"):
            ss.dump_jobs([job], other)  # type: ignore[arg-type]
