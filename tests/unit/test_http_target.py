"""What is accepted as the target that calls a URL, and what of it is shown."""

from __future__ import annotations

import base64
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import stepsched as ss
from stepsched.core.masking import without_secrets
from stepsched.targets.summaries import target_summary
from stepsched.targets.words import target_text
from stepsched.workflows.pictures.words import kind_text

HOURLY = ss.Rate(timedelta(hours=1))
URL = "https://hooks.example.com/a"
SECRET = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
CONNECTION = "arn:aws:events:eu-west-1:123456789012:connection/hooks/0a1b2c3d-1111-2222-3333-0a1b2c3d4e5f"


def refusal(url: Any = URL, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ss.HttpTarget(url, **fields)
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://hooks.example.com",
        "https://hooks.example.com:8443/a/b?c=d&e=%20#".rstrip("#"),
        "HTTPS://Hooks.Example.com/A",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/",
        "http://127.0.0.1:8000/",
        "http://hooks:8000/",
        "https://a.example/?" + "x" * 2_028,
    ],
)
def test_urls_of_http_are_taken_as_they_are(url: str) -> None:
    assert ss.HttpTarget(url).url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "expected a URL such as 'https://example.com/hook', got ''"),
        ("hooks.example.com", "expected a URL such as"),
        ("/hook", "expected a URL such as"),
        ("ftp://hooks.example.com", "expected a URL such as"),
        ("file:///etc/passwd", "expected a URL such as"),
        ("https:hooks.example.com", "expected a URL such as"),
        ("https:///hook", "expected a URL such as"),
        ("//hooks.example.com", "expected a URL such as"),
        ("javascript:alert(1)", "expected a URL such as"),
        ("https://[::1", "expected a URL such as"),
        ("https://a.example:x/", "expected a URL such as"),
        ("https://a.example:65536/", "expected a URL such as"),
        ("https://a.example:-1/", "expected a URL such as"),
        ("https://a.example:0/", "a port from 1 to 65535"),
        ("https://a.example:/", "a port from 1 to 65535 in the URL, or none"),
        ("https://user:pass@a.example/", "without user information; use the header 'Authorization'"),
        ("https://user@a.example/", "without user information"),
        ("https://@a.example/", "without user information"),
        ("https://a.example/#x", "without fragment"),
        ("https://a.example/#", "without fragment"),
        ("https://a.example/ x", "without spaces; use urllib.parse.quote"),
        ("https://a.example/\x00", "of ASCII characters"),
        ("https://a.example/ü", "use urllib.parse.quote"),
        ("https://a.example\\@b.example/", "without user information"),
        ("https://a.example/\\b", "of ASCII characters"),
        ("https://a.example/{id}", "of ASCII characters"),
        ("https://bücher.example/", "use 'xn--bcher-kva.example'"),
        ("https://a.example./", "without a dot at its end"),
        ("http://0x7f.1/", "use '127.0.0.1'"),
        ("http://2130706433/", "use '127.0.0.1'"),
        ("http://[fe80::1%25eth0]/", "a host name"),
        ("https://a_example..com/", "a host name"),
        ("https://a.example/" + "x" * 2_048, "at most 2,048 characters, got 2,066"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_what_is_expected(url: str, words: str) -> None:
    assert words in refusal(url)


@pytest.mark.parametrize(
    "url",
    ["https://a.example/\r\nX: y", "https://a.exam\tple/", "\nhttps://a.example/", "https://a.example/\n"],
)
def test_line_feeds_and_tabs_are_refused_although_url_readers_drop_them(url: str) -> None:
    assert "expected a URL" in refusal(url)


def test_the_password_of_a_refused_url_is_not_shown() -> None:
    assert "hunter2" not in refusal("https://user:hunter2@a.example/")
    assert "hunter2" not in refusal("ftp://a.example/?token=hunter2")


@pytest.mark.parametrize("method", ["post", "TRACE", "CONNECT", "OPTIONS", "", "GET\r\n"])
def test_other_methods_are_refused(method: str) -> None:
    assert "Input should be 'POST', 'PUT'" in refusal(method=method)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"": "x"}, "names of headers such as 'X-Team', got ''"),
        ({"a b": "x"}, "names of headers such as"),
        ({"a:b": "x"}, "names of headers such as"),
        ({"a\r\nb": "x"}, "names of headers such as"),
        ({"ü": "x"}, "names of headers such as"),
        ({"x" * 257: "x"}, "keys of at most 256 characters"),
        ({"X-A": "b\r\nHost: c"}, "printable ASCII characters, without spaces at their ends"),
        ({"X-A": "b\n"}, "printable ASCII"),
        ({"X-A": "b\x00"}, "printable ASCII"),
        ({"X-A": "ü"}, "printable ASCII"),
        ({"X-A": " b"}, "without spaces at their ends"),
        ({"X-A": "b "}, "without spaces at their ends"),
        ({"X-A": "b" * 4_097}, "at most 4,096"),
        ({"X-A": "b", "x-a": "c"}, "each header once"),
        ({f"X-{n}": "" for n in range(51)}, "at most 50 headers of 8,192 characters in all, got 51"),
        ({f"X-{n}": "x" * 4_000 for n in range(3)}, "8,192 characters in all, got 3 of 12,009"),
        *(
            ({name: "x"}, "which every call sets; leave it out")
            for name in (
                "Host", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer",
                "Upgrade", "Proxy-Authorization", "Expect", "webhook-id", "Webhook-Signature",
                "webhook-timestamp", "Stepsched-Job", "stepsched-anything",
            )
        ),
    ],
)  # fmt: skip
def test_headers_that_would_break_or_forge_a_request_are_refused(headers: dict[str, str], words: str) -> None:
    assert words in refusal(headers=headers)


@pytest.mark.parametrize("headers", [{"X-A": 7}, {7: "x"}, [("X-A", "b")], "X-A: b"])
def test_headers_of_another_kind_are_refused(headers: Any) -> None:
    refusal(headers=headers)


def test_the_value_of_a_refused_header_is_not_shown() -> None:
    assert "hunter2" not in refusal(headers={"Authorization": "hunter2\n"})


@pytest.mark.parametrize(
    ("secret", "kept"),
    [
        (SECRET, (SECRET,)),
        (SECRET.removeprefix("whsec_"), (SECRET.removeprefix("whsec_"),)),
        ([SECRET, "env:OLD"], (SECRET, "env:OLD")),
        ("env:HOOK_SECRET", ("env:HOOK_SECRET",)),
        (None, None),
    ],
)
def test_secrets_are_kept_as_a_list(secret: Any, kept: tuple[str, ...] | None) -> None:
    target = ss.HttpTarget(URL, signing_secret=secret)
    assert target.signing_secret == kept
    assert ss.HttpTarget.model_validate({"url": URL, "signing_secret": secret}) == target


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("hunter2!", "text that is not base64"),
        ("aHVudGVyMg==", "24 to 64 bytes in base64, got 7 bytes"),
        ([], "at least 1 item"),
        ([SECRET] * 3, "at most 2 items"),
        ("env:", "expected the form 'env:NAME'"),
        ("env:A-B", "expected the form 'env:NAME'"),
        ("ENV:HOOK", "text that is not base64"),
        (7, "Input should be"),
        ([7], "Input should be"),
    ],
)
def test_secrets_that_cannot_sign_are_refused_without_being_shown(secret: Any, words: str) -> None:
    text = refusal(signing_secret=secret)
    assert words in text
    assert "hunter2" not in text
    assert "aHVudGVyMg" not in text


@pytest.mark.parametrize("arn", ["x", CONNECTION.replace("events", "sns"), CONNECTION.rpartition("/")[0]])
def test_a_connection_is_the_whole_arn_of_one(arn: str) -> None:
    assert "connection/<name>/<id>" in refusal(connection_arn=arn)


@pytest.mark.parametrize(
    ("method", "takes"),
    [("POST", True), ("PUT", True), ("PATCH", True), ("DELETE", True), ("GET", False), ("HEAD", False)],
)
def test_get_and_head_have_no_body(method: Any, *, takes: bool) -> None:
    assert ss.HttpTarget(URL, method=method).takes_input is takes


# -- what is shown -------------------------------------------------------------------------------------

FULL = ss.HttpTarget(
    f"{URL}?token=hunter2&a=b",
    headers={"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "X-Team": "blue"},
    signing_secret=[SECRET, "env:OLD_SECRET"],
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(repr(FULL), id="repr"),
        pytest.param(str(FULL), id="str"),
        pytest.param(repr(ss.Job(name="n", schedule=HOURLY, target=FULL)), id="repr of a job"),
        pytest.param(repr(ss.ParallelTarget([FULL, FULL])), id="repr of parts"),
        pytest.param(target_text(FULL), id="get of the CLI"),
        pytest.param(target_summary(FULL), id="list of the CLI"),
        pytest.param(str(without_secrets(FULL.model_dump(mode="json"))), id="masked document"),
    ],
)
def test_no_secret_is_shown(text: str) -> None:
    assert "hunter2" not in text
    assert SECRET.removeprefix("whsec_") not in text
    assert "hooks.example.com/" in text


def test_the_representation_says_what_is_masked() -> None:
    assert dict(FULL.__repr_args__()) == {
        "url": f"{URL}?token=***&a=b",
        "headers": {"Authorization": "***", "X-Api-Key": "***", "X-Team": "blue"},
        "signing_secret": ("***", "env:OLD_SECRET"),
    }
    assert repr(FULL).startswith(f"HttpTarget(url='{URL}?token=***&a=b', headers={{'Authorization': '***', ")
    assert repr(ss.HttpTarget(URL)) == f"HttpTarget(url='{URL}')"


def test_a_job_that_is_refused_does_not_show_the_secrets_of_its_target() -> None:
    fields = {
        "url": URL,
        "headers": {"Authorization": "hunter2"},
        "signing_secret": SECRET,
        "method": "TRACE",
    }
    for target in (fields, {"kind": "http", **fields}):
        with pytest.raises(ValidationError) as caught:
            ss.Job.model_validate({"name": "n", "schedule": HOURLY, "target": target})
        assert "hunter2" not in str(caught.value)
        assert SECRET not in str(caught.value)


def test_a_url_is_no_target_and_the_error_says_what_is() -> None:
    with pytest.raises(ValidationError, match=r"use HttpTarget\('https://hooks.example.com/a'\)"):
        ss.Job(name="n", schedule=HOURLY, target=URL)


def test_a_picture_of_a_workflow_shows_the_method_and_the_host() -> None:
    assert kind_text(FULL) == "POST hooks.example.com"


def test_a_workflow_may_mix_functions_and_urls_without_a_warning() -> None:
    """Both run on the embedded backend, and a warning would fail the test."""
    steps = [ss.Step("load", target=ss.HandlerTarget("a.b:c")), ss.Step("tell", target=FULL, needs=["load"])]
    ss.Workflow("flow", steps=steps).check()


# -- stored forms --------------------------------------------------------------------------------------


def test_a_target_pickles_and_reads_back_from_json() -> None:
    assert pickle.loads(pickle.dumps(FULL)) == FULL
    assert ss.HttpTarget.model_validate_json(FULL.model_dump_json()) == FULL
    assert FULL.replace(method="PUT").method == "PUT"


@pytest.mark.parametrize("form", ["jobs.yaml", "jobs.json"])
@pytest.mark.parametrize(
    "target",
    [
        ss.HttpTarget(URL),
        FULL,
        ss.HttpTarget(URL, method="GET", connection_arn=CONNECTION),
        ss.ParallelTarget([ss.HttpTarget(URL), FULL]),
    ],
    ids=["url", "full", "connection", "parallel"],
)
def test_a_job_file_keeps_the_target(tmp_path: Path, form: str, target: ss.Target) -> None:
    job = ss.Job(name="n", schedule=HOURLY, target=target)
    ss.dump_jobs([job], tmp_path / form)
    assert ss.load_jobs(tmp_path / form) == [job]


@pytest.mark.parametrize(
    ("written", "target"),
    [
        (URL, ss.HttpTarget(URL)),
        (f"{{url: '{URL}'}}", ss.HttpTarget(URL)),
        (f"{{url: '{URL}', method: PUT}}", ss.HttpTarget(URL, method="PUT")),
        (f"{{url: '{URL}', headers: {{X-Team: blue}}}}", ss.HttpTarget(URL, headers={"X-Team": "blue"})),
        (f"{{url: '{URL}', signing_secret: 'env:HOOK'}}", ss.HttpTarget(URL, signing_secret="env:HOOK")),
        (
            f"{{url: '{URL}', signing_secret: ['env:A', 'env:B']}}",
            ss.HttpTarget(URL, signing_secret=["env:A", "env:B"]),
        ),
    ],
)  # fmt: skip
def test_a_job_file_may_name_the_url_alone(tmp_path: Path, written: str, target: ss.HttpTarget) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(
        f"jobs:\n  - name: n\n    every: 1 hour\n    start: 2030-01-01T00:00:00Z\n    target: {written}\n"
    )
    (job,) = ss.load_jobs(path)
    assert job.target == target


def test_the_short_form_is_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    ss.dump_jobs([ss.Job(name="n", schedule=HOURLY, target=ss.HttpTarget(URL))], path)
    assert f"target: {URL}" in path.read_text()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("https://a.example/#x", "target: expected a URL without fragment"),
        (f"{{url: '{URL}', signing_secret: hunter2}}", "target.signing_secret: expected a "),
        (f"{{url: '{URL}', headers: {{X-A: 7, Authorization: hunter2}}}}", "target.headers.X-A"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_named_at_its_place(tmp_path: Path, written: str, words: str) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"jobs:\n  - name: n\n    schedule: rate(1 hour)\n    target: {written}\n")
    with pytest.raises(ss.errors.JobFileError) as caught:
        ss.load_jobs(path)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
