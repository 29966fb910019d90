"""Runs the Python of a Markdown file, as a reader would who types it in from top to bottom.

    python tests/docs/snippets.py README.md

Every block fenced as ``python`` is executed, in order, in one namespace; where a block, or the text
around the blocks, holds ``>>>``, it is checked as a doctest in that namespace. The exit code is 0 when
all went well. Tracebacks show the lines of the Markdown file.

A block whose title begins with ``Before:`` shows the code of another system, which need not be installed:
it must be Python, and is not executed.
"""

from __future__ import annotations

import doctest
import linecache
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
PROMPT = re.compile(r"^ *>>> ", re.MULTILINE)
FOREIGN = re.compile(r'\btitle="Before: [^"]+"')


class Piece(NamedTuple):
    """A stretch of a file that runs at once."""

    line: int
    """The number of its first line, from 1."""
    text: str
    is_doctest: bool
    is_foreign: bool = False
    """Whether it is the code of another system, which is compiled and not executed."""


def pieces(text: str) -> list[Piece]:
    """What runs in a Markdown file, in order.

    Raises:
        ValueError: A fence is never closed.
    """
    found: list[Piece] = []
    prose: list[str] = []
    block: list[str] = []
    opening: re.Match[str] | None = None
    start = prose_start = 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        match = FENCE.match(line)
        if opening is None and match is not None:
            found += _prose(prose_start, prose)
            opening, start, block = match, number + 1, []
        elif opening is None:
            if not prose:
                prose_start = number
            prose.append(line)
        elif match is not None and match["fence"].startswith(opening["fence"]) and not match["info"].strip():
            found += _block(start, block, opening)
            opening, prose = None, []
        else:
            block.append(line[min(len(opening["indent"]), len(line) - len(line.lstrip(" "))) :])
    if opening is not None:
        raise ValueError(f"line {start - 1}: the fence is never closed")
    return found + _prose(prose_start, prose)


def _prose(start: int, lines: list[str]) -> list[Piece]:
    text = "\n".join(lines) + "\n"
    return [Piece(start, text, is_doctest=True)] if PROMPT.search(text) else []


def _block(start: int, lines: list[str], opening: re.Match[str]) -> list[Piece]:
    words = opening["info"].split()
    text = "\n".join(lines) + "\n"
    if words[:1] in (["python"], ["pycon"], ["py"]):
        foreign = FOREIGN.search(opening["info"]) is not None
        return [Piece(start, text, not foreign and PROMPT.search(text) is not None, foreign)]
    return []


def run(path: Path) -> int:
    """Runs a file's pieces; the number of those that failed, at most 1."""
    main = ModuleType("__main__")
    main.__dict__["__file__"] = str(path)
    sys.modules["__main__"] = main  # functions of the snippets are found by name
    text = path.read_text(encoding="utf-8")
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
    for piece in pieces(text):
        if piece.is_doctest:
            test = doctest.DocTestParser().get_doctest(piece.text, {}, path.name, str(path), piece.line - 1)
            test.globs = main.__dict__  # itself: the parser would give it a copy
            if doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False).failed:
                return 1
            continue
        try:
            # Empty lines in front, so that a traceback shows the line of the file.
            code = compile("\n" * (piece.line - 1) + piece.text, str(path), "exec")
            if not piece.is_foreign:
                exec(code, main.__dict__)
        except BaseException:  # noqa: BLE001 -- whatever it raises, the snippet is broken
            traceback.print_exc()
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]).resolve()))
