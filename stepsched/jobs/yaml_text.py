"""Reads and writes YAML, without the conversions of YAML 1.1 that surprise people.

Dates, times and numbers such as ``9:30`` stay texts; unquoted yes, no, on and off become :class:`YesNo`.
This module needs PyYAML, the extra ``stepsched[yaml]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from stepsched.jobs.documents import YesNo
from stepsched.jobs.written import Place, Problem

_MOST_VALUES, _MOST_REPEATED, _VERY_MANY = 100_000, 10, 10**12
"""The limit of values that a YAML file may hold with its aliases expanded: the first number, or the second
times the values that are written in the file. The count stops at the third."""
_YES_NO = "!yes-no"
_OF_PYYAML = (LookupError, ArithmeticError, AttributeError, TypeError)
"""The errors of PyYAML for values that contradict their tag, such as ``!!bool maybe``."""
_INDENTED = "its indentation is not that of the lines around it"
_RESOLVERS = {
    "tag:yaml.org,2002:bool": r"^(?:true|True|TRUE|false|False|FALSE)$",
    _YES_NO: r"^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$",
    "tag:yaml.org,2002:int": (r"^(?:[-+]?0b[0-1_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$"),
    "tag:yaml.org,2002:float": (
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    "tag:yaml.org,2002:null": r"^(?:~|null|Null|NULL|)$",
    "tag:yaml.org,2002:merge": r"^(?:<<)$",
}
"""The meanings of unquoted texts: those of PyYAML without dates, times and numbers in base 60 or 8. ``010``
is 8 for some readers and 10 for others, and mostly an identifier."""


class YamlError(ValueError):
    """A text is not YAML, or not one document of reasonable size.

    Attributes:
        line: The number of the line. None: it has none.
        text: What is wrong, without the line.
    """

    def __init__(self, text: str, line: int | None = None, what: str = "it is not YAML") -> None:
        where = "" if line is None else f"line {line}: "
        super().__init__(f"{what}: {where}{text}" if what else text)
        self.line = line
        self.text = f"{what}: {text}" if what else text


class Found(NamedTuple):
    """The content of a YAML text."""

    document: Any
    root: yaml.Node | None
    problems: list[Problem]
    """The duplicate keys."""

    def line(self, place: Place) -> int | None:
        """Returns the number of the line with the value at a place, or with the nearest one around it."""
        node, line = self.root, None
        for part in (None, *place):
            inner = node if part is None or node is None else _at(node, part)
            if inner is None:
                break
            node, line = inner, _line(inner)
        return line


class _Loader(yaml.SafeLoader):
    """Creates no objects but plain data."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- as in its base

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- as its base
        found = super().construct_mapping(node, deep=deep)
        return {str(key) if isinstance(key, YesNo) else key: value for key, value in found.items()}


for _tag, _pattern in _RESOLVERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), None)
_Loader.add_constructor(_YES_NO, lambda _, node: YesNo(node.value))


class _Dumper(yaml.SafeDumper):
    """Writes repeated values in full, and texts that PyYAML would not read back in double quotes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- as its base
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() and not re.search("[\x85\u2028\u2029\ufeff]", text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def write_yaml(document: Any, *, is_ascii: bool = False) -> str:
    """Returns the YAML text of plain data, in its order.

    Args:
        document: The data.
        is_ascii: Whether all characters but those of ASCII are written as escapes.
    """
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=not is_ascii, width=100)


def read_yaml(text: str) -> Found:
    """Reads one YAML document.

    Raises:
        YamlError: The text is not one YAML document, or its aliases expand to too much.
        RecursionError: It nests too deeply.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Found(None, None, [])
        _check_aliases(root)
        problems = list(_duplicates(root))
        return Found(loader.construct_document(root), root, problems)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(_why_not(error, mark, text), None if mark is None else mark.line + 1) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error
    except _OF_PYYAML as error:
        raise YamlError(f"a value does not have the form of its tag: {error}") from error


def _why_not(error: yaml.MarkedYAMLError, mark: yaml.Mark | None, text: str) -> str:
    """Returns what is wrong with a text at a mark, and what to write instead."""
    problem = str(error.problem)
    if "single document" in str(error.context):
        return "a second document begins here; write all jobs into one list"
    if mark is not None and mark.line < len(text.splitlines()):
        cure = _cure(text.splitlines()[mark.line], mark.column, error)
        if cure:
            return cure
    if "block end" in problem:
        return _INDENTED
    context = f", {error.context}" if error.context else ""
    cure = "; quote a text with , : ? * [ ] { or } in it" if "flow" in context else ""
    return f"{problem}{context}{cure}"


def _cure(line: str, column: int, error: yaml.MarkedYAMLError) -> str:
    """Returns what to write instead where a character with a meaning stands in the wrong place."""
    problem, context = str(error.problem), str(error.context)
    is_alias = "alias" in context
    if not is_alias and "cannot start any token" not in problem and "not allowed here" not in problem:
        return ""
    if "\\t" in problem:
        return "YAML is indented with blanks; a tab is not allowed here"
    if "sequence entries" in problem:
        return "a list begins on a line of its own, or is written [a, b]; quote a text that begins with '- '"
    if "mapping values" in problem and ": " not in line[:column]:
        return f"{_INDENTED}, or the line above has no blank after its colon"
    match = re.fullmatch(r"\s*(?:- +)*([\w.-]+): +([^'\"\[{].*?)\s*", line)
    sample = "" if match is None else f", so write {match[1]}: '{match[2].replace(chr(39), 2 * chr(39))}'"
    what = "an unquoted * is an alias in YAML" if is_alias else f"{problem} unless the text is quoted"
    return f"{what}; quote it{sample}"


def _line(node: yaml.Node) -> int | None:
    return node.start_mark.line + 1 if node.start_mark else None


def _at(node: yaml.Node, part: str | int) -> yaml.Node | None:
    """Returns the value of a key, also of a merged mapping, or an item."""
    if isinstance(node, yaml.SequenceNode):
        return node.value[part] if isinstance(part, int) and part < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.value == part:
            return value  # type: ignore[no-any-return]
        if key.value == "<<":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
    return next((found for each in merged if (found := _at(each, part)) is not None), None)


def _duplicates(root: yaml.Node) -> Iterator[Problem]:
    """Yields the keys that occur more than once in their mapping, of which YAML would keep the last."""
    waiting: list[tuple[yaml.Node, Place]] = [(root, ())]
    seen = set[int]()
    while waiting:
        node, place = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, (*place, number)) for number, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int | None] = {}
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in lines:
                        words = f"duplicate key {key.value!r}, at lines {lines[key.value]} and {_line(key)}"
                        yield Problem((*place, key.value), words)
                    lines.setdefault(key.value, _line(key))
                    waiting.append((value, (*place, key.value)))


def _check_aliases(root: yaml.Node) -> None:
    """Refuses a document whose aliases would expand to too many values, before it is expanded.

    Each node is visited once; the values below an alias count at each of its uses.
    """
    sizes: dict[int, int] = {}
    around: set[int] = set()
    waiting = [(root, False)]
    while waiting:
        node, is_counted = waiting.pop()
        parts = _parts(node)
        if is_counted:
            sizes[id(node)] = min(1 + sum(sizes[id(part)] for part in parts), _VERY_MANY)
            around.discard(id(node))
        elif id(node) in around:
            raise YamlError(
                f"the value at line {_line(node) or '?'} contains itself through an alias", what=""
            )
        elif id(node) not in sizes:
            around.add(id(node))
            waiting += [(node, True), *((part, False) for part in parts)]
    most = max(_MOST_VALUES, _MOST_REPEATED * len(sizes))
    if sizes[id(root)] > most:
        raise YamlError(f"its aliases expand to more than {most:,} values; use fewer aliases", what="")


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Returns the direct children of a node: keys, values and items."""
    if isinstance(node.value, str):
        return []
    return [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
