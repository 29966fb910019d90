"""What listeners share: the latest events, and from where on they are complete."""

from __future__ import annotations

import asyncio

from stepsched.http.audiences import Window


def test_the_oldest_are_let_go_and_who_needs_them_can_tell() -> None:
    async def keep() -> Window[str]:
        window = Window[str]()
        window.begin(10)
        window.position = 1_510
        window.add((number, f"event {number}") for number in range(11, 1_511))
        return window

    window = asyncio.run(keep())
    assert window.floor == 510  # who has not seen event 510 must ask the store
    assert window.after(510) == [f"event {number}" for number in range(511, 1_511)]
    assert window.after(1_509) == ["event 1510"]
    assert window.after(1_510) == []


def test_a_new_beginning_forgets_what_was_kept() -> None:
    async def keep() -> Window[str]:
        window = Window[str]()
        window.begin(0)
        window.add([(1, "one")])
        window.begin(7)
        return window

    window = asyncio.run(keep())
    assert (window.floor, window.position, window.after(0)) == (7, 7, [])
