"""A browser without a screen: it asks an application directly, keeps cookies and reads pages."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import NamedTuple

import httpx
from starlette.types import ASGIApp

_VOID = {"br", "input", "link", "meta"}


class Element(NamedTuple):
    """An element of a page."""

    name: str
    attributes: dict[str, str]
    texts: list[str]
    """The texts within it, in order."""

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


class Page(HTMLParser):
    """The elements of a page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements = list[Element]()
        self._open = list[Element]()
        self.feed(text)
        assert self._open == [], "elements are not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(made)
        if tag not in _VOID:
            self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.texts.append(data)

    def by_id(self, name: str) -> Element:
        (found,) = (each for each in self.elements if each.attributes.get("id") == name)
        return found

    def all(self, name: str, kind: str = "") -> list[Element]:
        return [
            each
            for each in self.elements
            if each.name == name and set(kind.split()) <= set(each.attributes.get("class", "").split())
        ]


class Visitor:
    """Asks an application as a browser does."""

    def __init__(self, app: ASGIApp, base_url: str = "http://localhost:8080", root_path: str = "") -> None:
        self._app = app
        self._base_url = base_url
        self._root_path = root_path
        self.cookies = httpx.Cookies()

    def ask(
        self,
        method: str,
        path: str,
        *,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, root_path=self._root_path)
            async with httpx.AsyncClient(
                transport=transport, base_url=self._base_url, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, data=data, headers=headers, content=content)
                self.cookies = client.cookies
                return answer

        return asyncio.run(send())

    def page(self, path: str = "/") -> Page:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    def press(self, verb: str, job: str, *, path: str = "/", group: str = "default") -> httpx.Response:
        """Presses a button of a page: it must be there, in a form."""
        page = self.page(path)
        (found,) = (
            each
            for each in page.all("button")
            if (each.attributes.get("name"), each.attributes.get("value")) == (verb, f"{group}/{job}")
        )
        form = page.by_id(found.attributes["form"])
        assert form.attributes["method"] == "post"
        fields = {
            each.attributes["name"]: each.attributes["value"]
            for each in page.all("input")
            if each.attributes.get("type") == "hidden" and each.attributes["name"] in ("csrf", "back")
        }
        return self.ask("POST", form.attributes["action"], data={**fields, verb: f"{group}/{job}"})
