"""Buttons are forms: they work without a script, and only from pages of this site."""

from __future__ import annotations

from datetime import timedelta

import pytest

import stepsched as ss
from tests.unit.http.page.conftest import NOW, job
from tests.unit.http.visits import Visitor


def test_buttons_do_what_they_say(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    answer = visitor.press("pause", "nightly")
    assert answer.status_code == 303
    assert client.get("nightly").status is ss.JobStatus.PAUSED
    assert visitor.page(answer.headers["location"]).by_id("notice").text == "nightly is paused."
    visitor.press("resume", "nightly")
    assert client.get("nightly").status is ss.JobStatus.ACTIVE
    visitor.press("run", "nightly", path="/page/job?name=nightly")
    assert [run.trigger.value for run in client.runs("nightly")] == ["manual"]
    answer = visitor.press("cancel", "nightly", path="/page/job?name=nightly")
    assert answer.headers["location"] == "/?done=cancel&job=nightly"
    assert client.list() == []


def test_names_of_every_kind_can_be_pressed(client: ss.SchedulerClient, visitor: Visitor) -> None:
    name = "a/b ?&=%2F\"<é>'"
    client.create(job(name, group="g"))
    visitor.press("pause", name, group="g")
    answer = visitor.press(
        "resume", name, group="g", path=f"/page/job?name={name.replace('&', '%26')}".replace("%2F", "%252F")
    )
    assert visitor.page(answer.headers["location"]).by_id("notice").text == f"{name} is active."


def test_a_button_leads_back_to_what_was_chosen(client: ss.SchedulerClient, visitor: Visitor) -> None:
    client.create(job("nightly"))
    answer = visitor.press("run", "nightly", path="/?q=night&runs=pending")
    assert answer.headers["location"] == "/?q=night&runs=pending&done=run&job=nightly"


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "?q=x\r\nSet-Cookie: a=b", "/\\evil"]
)
def test_a_button_never_leads_to_another_site(
    client: ss.SchedulerClient, visitor: Visitor, back: str
) -> None:
    client.create(job("nightly"))
    token = next(e for e in visitor.page().all("input") if e.attributes["name"] == "csrf").attributes["value"]
    answer = visitor.ask("POST", "/page/do", data={"csrf": token, "back": back, "run": "default/nightly"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/?")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_token_of_the_page_does_nothing(
    client: ss.SchedulerClient, visitor: Visitor, token: str
) -> None:
    client.create(job("nightly"))
    answer = visitor.ask("POST", "/page/do", data={"csrf": token, "pause": "default/nightly"})
    assert answer.status_code == 403
    assert client.get("nightly").status is ss.JobStatus.ACTIVE


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"pause": "default/nightly"}', "application/json", 415),
        (b"pause=default/nightly", "text/plain", 415),
        (b"a=" + b"x" * 10_000, "application/x-www-form-urlencoded", 413),
        (b"a=1&" * 50, "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(visitor: Visitor, content: bytes, kind: str, status: int) -> None:
    answer = visitor.ask("POST", "/page/do", content=content, headers={"content-type": kind})
    assert answer.status_code == status


def test_what_cannot_be_done_is_said(
    client: ss.SchedulerClient, backend: ss.LocalBackend, visitor: Visitor
) -> None:
    once = ss.OneTime(NOW + timedelta(hours=1))
    client.create(job("once", schedule=once, completion=ss.Completion.KEEP))
    backend.advance(timedelta(hours=2))
    token = next(e for e in visitor.page().all("input") if e.attributes["name"] == "csrf").attributes["value"]
    ended = visitor.ask("POST", "/page/do", data={"csrf": token, "pause": "default/once"})
    gone = visitor.ask("POST", "/page/do", data={"csrf": token, "pause": "default/gone"})
    none = visitor.ask("POST", "/page/do", data={"csrf": token})
    assert [ended.status_code, gone.status_code, none.status_code] == [409, 404, 404]
    assert "once" in ended.text


def test_a_job_that_is_gone_has_no_page(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/page/job?name=gone")
    assert answer.status_code == 404
    assert "gone" in answer.text
