"""Every text has a contrast of 4.5:1 at least, in light and in dark, as the browser computes its colors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from playwright.sync_api import Page

import stepsched as ss
from tests.browser.conftest import Open, job

LOWEST = """
() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isClear = (color) => color === "transparent" || channels(color)[3] === 0;
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const shape = at.nodeName === "g" && at.querySelector(":scope > rect.hour");
      if (shape) return channels(getComputedStyle(shape).fill);
      const color = getComputedStyle(at).backgroundColor;
      if (!isClear(color)) return channels(color);
    }
    return [255, 255, 255];
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("title, .unseen, script")) continue;
    const style = getComputedStyle(element);
    const ink = channels(element.closest("svg") ? style.fill : style.color);
    const ratio = contrast(ink, paper(element));
    const name = `${element.nodeName}.${element.getAttribute("class") || ""}`;
    if (!(found[name] <= ratio)) found[name] = ratio;
  }
  return found;
}
"""


PATHS = ("", "page/job?name=fails", "page/job?name=job-1", "?q=job-1", "?q=none", "page/login")


def test_texts_can_be_read(client: ss.SchedulerClient, serve: Callable[..., str], visit: Open) -> None:
    client.create_many([job("fails", "false"), *(job(f"job-{number}") for number in range(3))])
    client.pause("job-1", reason="until tomorrow")
    for name in ("fails", "job-2"):
        client.wait(client.run_now(name), timeout=30)
    url = serve()
    for path in PATHS:
        check(visit(f"{url}{path}", waits=path != "page/login"))


def test_numbers_of_runs_can_be_read(
    client: ss.SchedulerClient, serve: Callable[..., str], visit: Open
) -> None:
    hours = (ss.Cron(f"0 0/{number % 6 + 1} * * ? *") for number in range(60))
    client.create_many([job(f"job-{number}", schedule=each) for number, each in enumerate(hours)])
    page = visit(serve())
    assert {page.locator(f".on{level}").count() > 0 for level in (1, 2, 3, 4)} == {True}
    check(page)


def check(page: Page) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        lowest = page.evaluate(LOWEST)
        assert len(lowest) > 2
        assert {name: round(ratio, 2) for name, ratio in lowest.items() if ratio < 4.5} == {}
