"""What a person does with the page: look, press, type, and go on without a mouse or a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

import stepsched as ss
from stepsched.core.clock import utc_now
from tests.browser.conftest import Open, job

Serve = Callable[..., str]
EVIL = "<img src=x onerror=\"alert('pwned')\">"
TOKEN = "correct-horse-battery"


def runs_of_a_week() -> int:
    """The runs of a job that are still to come in the seven days from the beginning of this hour: six in the
    hour of its run, seven in all others."""
    now = utc_now()
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=7)
    return sum(1 for at in job("job").schedule.runs(after=now, until=end) if at < end)


def test_it_shows_what_runs_next_what_ran_a_week_and_the_jobs(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly"))
    client.create(job("fails", "sh", "-c", "echo no rows >&2; exit 3"))
    client.wait(client.run_now("fails"), timeout=30)
    page = visit(serve())
    expect(page).to_have_title("jobs.db · stepsched")
    expect(page.locator("#next")).to_contain_text(re.compile(r"09:00 \+0[12]:00 Europe/Paris"))
    expect(page.locator("#ran")).to_contain_text("exit code 3: no rows")
    expect(page.locator("#week svg .run")).to_have_count(2 * runs_of_a_week())
    expect(page.locator("#jobs tbody tr")).to_have_count(2)


def test_what_happens_is_seen_without_a_reload(client: ss.SchedulerClient, serve: Serve, visit: Open) -> None:
    page = visit(serve())
    page.evaluate("window.isSame = true")
    client.create(job("new"))
    expect(page.locator("#jobs")).to_contain_text("new")
    client.run_now("new")
    expect(page.locator("#ran tr.succeeded")).to_contain_text("new")
    client.cancel("new")
    expect(page.locator("#jobs")).to_contain_text("There is no job yet.")
    assert page.evaluate("window.isSame")


def test_a_page_that_nobody_sees_listens_again_when_it_is_seen(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    hide = """(isHidden) => {
        Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page = visit(serve())
    page.evaluate(hide, True)
    expect(page.locator("#live.on")).to_have_count(0)
    client.create(job("new"))
    page.evaluate(hide, False)
    expect(page.locator("#live.on")).to_have_count(1)
    expect(page.locator("#jobs")).to_contain_text("new")


def test_pause_resume_and_run_now_by_mouse(client: ss.SchedulerClient, serve: Serve, visit: Open) -> None:
    client.create(job("nightly"))
    page = visit(serve())
    page.get_by_role("button", name="Pause: nightly").click()
    expect(page.locator("#notice")).to_have_text("nightly is paused.")
    page.get_by_role("button", name="Resume: nightly").click()
    expect(page.locator("#notice")).to_have_text("nightly is active.")
    page.get_by_role("button", name="Run now: nightly").click()
    expect(page.locator("#ran tr.succeeded")).to_contain_text("started by hand")
    assert client.get("nightly").status is ss.JobStatus.ACTIVE


def test_pause_and_run_now_by_keyboard_alone(client: ss.SchedulerClient, serve: Serve, visit: Open) -> None:
    client.create(job("nightly"))
    page = visit(serve())
    tab_to(page, "pause default/nightly")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("nightly is paused.")
    expect(page.locator("[id='resume default/nightly']")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#notice")).to_have_text("nightly is active.")
    tab_to(page, "run default/nightly")
    page.keyboard.press("Enter")
    expect(page.locator("#ran tr.succeeded")).to_contain_text("nightly")
    expect(page.locator("[id='run default/nightly']")).to_be_focused()


def test_a_button_keeps_the_focus_while_the_one_before_it_becomes_another(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly"))
    page = visit(serve())
    run = page.get_by_role("button", name="Run now: nightly")
    run.focus()
    for verb, next_one in ((client.pause, "Resume: nightly"), (client.resume, "Pause: nightly")):
        verb("nightly")
        expect(page.get_by_role("button", name=next_one)).to_have_count(1)
        expect(run).to_be_focused()


def test_a_button_keeps_the_focus_that_is_pressed_while_the_page_is_read(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly"))
    page = visit(url := serve())
    held = list[Route]()
    page.route(url, lambda route: held.append(route), times=1)
    with page.expect_request(url):
        client.create(job("other"))  # which a change tells
    page.get_by_role("button", name="Pause: nightly").press("Enter")
    expect(page.locator("#notice")).to_have_text("nightly is paused.")
    held[0].continue_()
    expect(page.get_by_role("button", name="Resume: nightly")).to_be_focused()


def test_a_button_that_somebody_else_makes_another_is_not_under_the_fingers(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly"))
    page = visit(serve())
    page.get_by_role("button", name="Pause: nightly").focus()
    client.pause("nightly")
    resume = page.get_by_role("button", name="Resume: nightly")
    expect(resume).to_have_count(1)
    expect(resume).not_to_be_focused()


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until an element has the focus, which must be visible at every step."""
    for _ in range(60):
        page.keyboard.press("Tab")
        found, outline = page.evaluate(
            "[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert outline != "none"
        if found == name:
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


def test_what_is_open_and_has_the_focus_stays_so(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly", "echo", "done"))
    client.wait(client.run_now("nightly"), timeout=30)
    page = visit(f"{serve()}page/job?name=nightly")
    page.get_by_text("Run 1: output").click()
    page.get_by_text("Definition, as JSON").click()
    page.get_by_role("button", name="Run now: nightly").focus()
    client.run_now("nightly")
    expect(page.locator("#run-2.succeeded")).to_be_visible()
    expect(page.locator("#told-1")).to_have_attribute("open", "")
    expect(page.locator("#definition")).to_have_attribute("open", "")
    expect(page.get_by_role("button", name="Run now: nightly")).to_be_focused()


def test_the_search_narrows_the_page_while_one_types(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create_many([job(f"job-{number:03}") for number in range(60)])
    page = visit(serve())
    expect(page.locator("#week svg .lane")).to_have_count(0)
    page.get_by_role("searchbox").press_sequentially("job-00")
    expect(page.locator("#jobs tbody tr")).to_have_count(10)
    expect(page.locator("#week svg rect.lane")).to_have_count(10)
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert page.url.endswith("/?q=job-00")
    page.get_by_role("combobox").select_option("paused")
    expect(page.locator("#jobs")).to_contain_text("No job is like that.")


def test_a_job_is_cancelled_on_its_own_page_in_two_steps(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly"))
    page = visit(serve())
    page.locator("#jobs").get_by_role("link", name="nightly").click()
    page.get_by_text("Cancel this job").click()
    page.get_by_role("button", name="Cancel: nightly").click()
    expect(page.locator("#notice")).to_have_text("nightly is cancelled.")
    assert client.list() == []


def test_what_cannot_be_done_is_said(client: ss.SchedulerClient, serve: Serve, visit: Open) -> None:
    client.create(job("nightly"))
    url = serve()
    page = visit(f"{url}page/job?name=nightly", allows="404")
    client.cancel("nightly")
    expect(page.locator("#notice.problem")).to_contain_text("nightly")
    client.create(job("nightly"))
    page = visit(url, java_script_enabled=False, waits=False, allows="404")
    client.cancel("nightly")
    page.get_by_role("button", name="Pause: nightly").click()
    expect(page.get_by_role("alert")).to_contain_text("nightly")
    expect(page.get_by_role("link", name="All jobs")).to_be_visible()


def test_without_a_script_it_can_be_read_and_used(
    client: ss.SchedulerClient, serve: Serve, visit: Open
) -> None:
    client.create(job("nightly"))
    client.create(job("other"))
    page = visit(serve(), java_script_enabled=False, waits=False)
    expect(page.locator("#live")).to_have_text("Reload to see changes")
    page.get_by_role("searchbox").fill("night")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Pause: nightly").click()
    expect(page.locator("#notice")).to_have_text("nightly is paused.")
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    assert client.get("nightly").status is ss.JobStatus.PAUSED


def test_what_was_stored_stays_text(client: ss.SchedulerClient, serve: Serve, visit: Open) -> None:
    client.create(
        job(EVIL, "sh", "-c", f"printf '%s' '{EVIL.replace(chr(39), '')}' >&2; exit 1", tags={EVIL: EVIL})
    )
    client.wait(client.run_now(EVIL), timeout=30)
    page = visit(serve())
    client.pause(EVIL, reason=EVIL)
    expect(page.locator("#jobs tbody")).to_contain_text(f"paused{EVIL}", use_inner_text=False)
    expect(page.locator("#ran .error")).to_contain_text("<img src=x")
    page.locator("#jobs").get_by_role("link", name=EVIL).click()
    expect(page.locator("h2").first).to_have_text(EVIL)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#notice")).to_have_text(f"{EVIL} is active.")
    assert page.locator("img").count() == 0


def test_the_token_opens_the_page(client: ss.SchedulerClient, serve: Serve, visit: Open) -> None:
    client.create(job("nightly"))
    page = visit(serve(token=TOKEN), waits=False)
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_role("button", name="Pause: nightly").click()
    expect(page.locator("#notice")).to_have_text("nightly is paused.")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("jobs", [3, 60])
def test_it_fits_a_narrow_screen(client: ss.SchedulerClient, serve: Serve, visit: Open, jobs: int) -> None:
    names = ["a-name-that-is-rather-long-and-has-no-blank-where-it-could-be-broken" * 3]
    client.create_many([job(name) for name in names + [f"job-{number}" for number in range(jobs)]])
    url = serve()
    for path in ("", f"page/job?name={names[0]}"):
        page = visit(f"{url}{path}", viewport={"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
