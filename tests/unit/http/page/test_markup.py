"""Texts are never markup."""

from __future__ import annotations

import pytest

from stepsched.http.page.markup import Markup, element, inside


def test_an_element_has_its_attributes_and_content() -> None:
    made = element("a", "here", " ", element("b", 1), href="/x?a=1&b=2", class_="job", data_at="now")
    assert made == '<a href="/x?a=1&amp;b=2" class="job" data-at="now">here <b>1</b></a>'


def test_what_is_absent_is_not_written() -> None:
    assert element("input", hidden=False, value=None, required=True) == "<input required>"
    assert inside([None, [], ["a", None]]) == "a"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'&<>\""])
def test_texts_and_values_are_escaped(text: str) -> None:
    made = element("p", text, title=text)
    assert not {"<script", "<img"} & {made[at : at + 7] for at in range(1, len(made))}
    assert made.count("<") == 2
    assert made.count('"') == 2


def test_only_markup_stays_as_it_is() -> None:
    assert inside(Markup("<b>1</b>")) == "<b>1</b>"
    assert inside(str(Markup("<b>")) + "<i>") == "&lt;b&gt;&lt;i&gt;"
