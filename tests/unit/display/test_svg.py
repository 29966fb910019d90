"""A picture is a text that a notebook shows as the picture."""

from __future__ import annotations

import re

import stepsched as ss


def test_a_picture_is_its_text_with_a_short_representation() -> None:
    picture = ss.Cron("0 9 ? * MON-FRI *").to_svg(2030)
    assert isinstance(picture, str)
    assert str(picture).startswith("<svg ")
    assert re.fullmatch(r"<Svg \d+ x \d+, \d+ KB>", repr(picture))


def test_notebooks_and_marimo_show_the_picture_no_wider_than_their_column() -> None:
    picture = ss.Cron("0 9 ? * MON-FRI *").to_svg(2030)
    html = picture._repr_html_()  # type: ignore[attr-defined]
    assert html == str(picture)
    assert "max-width:100%" in html
    assert picture._display_()._mime_() == ("text/html", html)  # type: ignore[attr-defined]
