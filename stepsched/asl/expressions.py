"""Checks the JSONata expressions of a definition, and finds the variables and fields that they read. Nothing
is evaluated.

Step Functions uses JSONata 2.0.6 without a root document: data is available in ``$states`` and in variables,
so a name alone refers to nothing. https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from stepsched.asl.diagnostics import Doubt, Severity
from stepsched.asl.jsonata import JsonataError, Node, parse


class Finding(NamedTuple):
    """A problem of a text, independent of its place in a definition."""

    severity: Severity
    code: str
    message: str


class Reading(NamedTuple):
    """The variables and fields that a text reads, and its problems."""

    variables: frozenset[str]
    """The workflow variables that it reads, without ``$``; not those that it binds itself, and not
    functions."""
    states: frozenset[str]
    """The fields of ``$states`` that it reads, such as ``input``."""
    findings: tuple[Finding, ...]
    """The problems, in the order of the text."""


INVALID = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED = "UNSUPPORTED_JSONATA_EXPRESSION"

STATES_FIELDS = ("input", "result", "errorOutput", "context")
CONTEXT_FIELDS: dict[str, Any] = {
    "Execution": dict.fromkeys(
        ("Id", "Input", "Name", "RoleArn", "StartTime", "RedriveCount", "RedriveTime"),
    ),
    "State": dict.fromkeys(("Name", "EnteredTime", "RetryCount")),
    "StateMachine": dict.fromkeys(("Id", "Name")),
    "Task": {"Token": None},
    "Map": {"Item": dict.fromkeys(("Index", "Value", "Key", "Source"))},
}
"""The fields of the context object; ``None`` for fields with any data."""

_DEEPEST = 95
"""The maximum number of evaluation levels; Step Functions stops between 99 and 101."""

# Least and most arguments (None: no end). Where the context may stand in for one the reference
# implementation takes one less, so that only what it refuses whatever the values is reported.
_ARITIES: dict[str, tuple[int, int | None]] = {
    "sum": (1, 1), "count": (1, 1), "max": (1, 1), "min": (1, 1), "average": (1, 1), "string": (0, 2),
    "substring": (1, 3), "substringBefore": (1, 2), "substringAfter": (1, 2), "lowercase": (0, 1),
    "uppercase": (0, 1), "length": (0, 1), "trim": (0, 1), "pad": (1, 3), "match": (1, 3),
    "contains": (1, 2), "replace": (2, 4), "split": (1, 3), "join": (1, 2), "formatNumber": (1, 3),
    "formatBase": (0, 2), "formatInteger": (1, 2), "parseInteger": (1, 2), "number": (0, 1),
    "floor": (0, 1), "ceil": (0, 1), "round": (0, 2), "abs": (0, 1), "sqrt": (0, 1), "power": (1, 2),
    "boolean": (0, 1), "not": (0, 1), "map": (2, 2), "zip": (1, None), "filter": (2, 2),
    "single": (1, 2), "reduce": (2, 3), "sift": (0, 2), "keys": (0, 1), "lookup": (1, 2), "append": (2, 2),
    "exists": (1, 1), "spread": (0, 1), "merge": (1, 1), "reverse": (1, 1), "each": (1, 2),
    "error": (0, 1), "assert": (1, 2), "type": (1, 1), "sort": (1, 2), "shuffle": (1, 1),
    "distinct": (1, 1), "base64encode": (0, 1), "base64decode": (0, 1), "encodeUrlComponent": (0, 1),
    "encodeUrl": (0, 1), "decodeUrlComponent": (0, 1), "decodeUrl": (0, 1), "toMillis": (0, 2),
    "fromMillis": (0, 3), "clone": (0, 1), "now": (0, 2), "millis": (0, 0),
}  # fmt: skip
_ADDED = {
    "partition": (2, 2),
    "range": (3, 3),
    "hash": (2, 2),
    "random": (0, 1),
    "uuid": (0, 0),
    "parse": (1, 1),
}
"""The functions that AWS adds. Their behaviour with a wrong number of arguments is not published."""
FUNCTIONS = frozenset(_ARITIES) | frozenset(_ADDED)

_CALLBACKS: dict[str, tuple[int, ...]] = {
    "map": (1,), "filter": (1,), "single": (1,), "reduce": (1,), "sort": (1,), "sift": (0, 1), "each": (0, 1),
    "match": (1,), "contains": (1,), "replace": (1, 2), "split": (1,),
}  # fmt: skip
"""The arguments of built-in functions that may be functions."""
_ALWAYS_CALLED = {"map", "filter", "single", "reduce", "sort", "sift", "each"}
"""The functions whose second argument must be a function."""
_SPINE = {"filter", "sort", "group", "focus", "index"}
"""The kinds of nodes that extend a path; their first part is the path so far."""


class _Context(Enum):
    """What ``$`` and names alone refer to."""

    ROOT = "nothing"
    FUNCTION = "whatever was current where the function was made: nothing, too"
    STEP = "the value in hand: right of a dot, in a predicate, in a sort term ..."


class _Use(Enum):
    """How a variable is used at its place."""

    DATA = "not a function"
    EITHER = "handed on"
    CALLED = "a function, or the evaluation fails"


class _Frame:
    """The names bound in a block, a function or a path."""

    __slots__ = ("home", "names", "outer")

    def __init__(self, outer: _Frame | None, names: Sequence[str] = (), *, is_path: bool = False) -> None:
        self.outer = outer
        self.names = set(names)
        # The names bound by @ and # belong to the path, those bound by := to the enclosing block.
        self.home: _Frame = outer.home if is_path and outer is not None else self

    def holds(self, name: str) -> bool:
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.names:
                return True
            frame = frame.outer
        return False


class _Place(NamedTuple):
    """A node to be visited, and its place."""

    node: Node
    context: _Context
    frame: _Frame
    use: _Use = _Use.DATA
    piped: int = 0
    """The number of arguments from ``~>``."""
    in_path: bool = False
    """Whether the path of the node has been entered."""
    is_step: bool = False
    """Whether a dot follows, which makes a name of a string."""


class _Binding(NamedTuple):
    """A name that is bound after the preceding nodes have been visited."""

    name: str
    frame: _Frame


_Work = _Place | _Binding


class _Reader:
    """The visitor of one expression.

    It uses a stack instead of recursion, because a chain of thousands of operators is an equally deep tree.
    The stack holds the nodes to visit, in the order of evaluation, the next on top. The bodies of functions
    come last: they are called when all names around them are bound, so a function may call itself and later
    ones.
    """

    def __init__(self, text: str) -> None:
        self.has_path_bindings = "@" in text or "#" in text
        self.variables: set[str] = set()
        self.states: set[str] = set()
        self.found: list[tuple[int, Finding]] = []
        self.bodies: list[_Place] = []

    def read(self, tree: Node) -> Reading:
        if _depth(tree) > _DEEPEST:
            message = (
                f"The expression nests more than {_DEEPEST} levels; Step Functions gives up near 100. "
                "Split it over several variables, or use $sum, $join or $reduce over an array"
            )
            self.found.append((-1, Finding(Severity.WARNING, Doubt.DOUBTFUL_EXPRESSION.value, message)))
        self.run(_Place(tree, _Context.ROOT, _Frame(None)))
        while self.bodies:
            self.run(self.bodies.pop())
        self.found.sort(key=lambda entry: entry[0])
        findings = tuple(dict.fromkeys(finding for _, finding in self.found))
        return Reading(frozenset(self.variables), frozenset(self.states), findings)

    def run(self, place: _Place) -> None:
        stack: list[_Work] = [place]
        while stack:
            work = stack.pop()
            if isinstance(work, _Binding):
                work.frame.names.add(work.name)
                continue
            following = _READERS.get(work.node.kind, _Reader.parts)(self, work)
            stack.extend(reversed(following))

    def refuse(self, node: Node, message: str, *, code: str = UNSUPPORTED, certain: bool = True) -> None:
        severity = Severity.ERROR if certain else Severity.WARNING
        code = code if certain else Doubt.DOUBTFUL_EXPRESSION.value
        self.found.append((node.at, Finding(severity, code, message)))

    # -- names ---------------------------------------------------------------------------------------------

    def reference(self, place: _Place) -> Sequence[_Work]:
        """Visits a name, a wildcard or a parent."""
        if place.context is not _Context.STEP:
            name = place.node.text
            if place.node.kind in ("name", "string"):
                is_plain = name.isidentifier()
                cure = f"Write $states.input.{name if is_plain else f'`{name}`'} for a field of the input"
                cure += f", ${name} for a variable, '{name}' for text" if is_plain else ""
            else:
                cure = f"It needs data before it, as in $states.input.items.{name}"
            message = f"Reference to '{name}' at the top level is not supported. {cure}"
            self.refuse(place.node, message, certain=place.context is _Context.ROOT)
        return ()

    def variable(self, place: _Place) -> Sequence[_Work]:
        node, name = place.node, place.node.text
        if name == "$":
            self.refuse(node, "$$ does not exist in Step Functions; write $states.input", code=INVALID)
        elif name == "":
            if place.context is not _Context.STEP:
                message = "Reference to '$' at the top level is not supported; write $states.input"
                self.refuse(node, message, certain=place.context is _Context.ROOT)
        elif place.frame.holds(name) or name == "states":
            pass
        elif name == "eval":
            self.eval(node)
        elif place.use is not _Use.DATA and name in FUNCTIONS:
            pass
        elif place.use is _Use.CALLED:
            self.unknown(node)
        else:
            self.variables.add(name)
        return ()

    def eval(self, node: Node) -> None:
        self.refuse(node, "$eval does not exist in Step Functions; $parse reads JSON text")

    def unknown(self, node: Node) -> None:
        """Reports a function that does not exist; variables hold JSON, so it cannot be one of them."""
        close = get_close_matches(node.text, FUNCTIONS, n=1, cutoff=0.6)
        lowered = [name for name in FUNCTIONS if name.lower() == node.text.lower()]
        hint = f"; did you mean ${(lowered or close)[0]}?" if lowered or close else ""
        self.refuse(node, f"Unknown function ${node.text}{hint}")

    # -- paths ---------------------------------------------------------------------------------------------

    def path(self, place: _Place) -> Sequence[_Work]:
        """Visits the steps of a path and their extensions."""
        node = place.node
        if not place.in_path:
            if self.has_path_bindings:
                place = place._replace(frame=_Frame(place.frame, is_path=True))
            self.below_states(node, place.frame)
        is_step = place.is_step or node.kind == "binary"
        head = _Place(node.parts[0], place.context, place.frame, in_path=True, is_step=is_step)
        if node.kind in ("focus", "index"):
            return (head, _Binding(node.text, place.frame))
        in_path = node.kind == "binary"
        rest = (_Place(part, _Context.STEP, place.frame, in_path=in_path) for part in node.parts[1:])
        return (head, *rest)

    def below_states(self, node: Node, frame: _Frame) -> None:
        steps: list[Node] = []
        while node.kind in _SPINE or _is_dot(node):
            if _is_dot(node):
                steps.append(_bare(node.parts[1]))
            node = node.parts[0]
        if node.kind != "variable" or node.text != "states" or frame.holds("states") or not steps:
            return
        step = steps.pop()
        if step.kind not in ("name", "string"):
            return
        self.states.add(step.text)
        if step.text not in STATES_FIELDS:
            fields = ", ".join(STATES_FIELDS)
            self.refuse(step, f"$states.{step.text} does not exist; $states has the fields {fields}")
        elif step.text == "context":
            names = [step.text if step.kind in ("name", "string") else None for step in reversed(steps)]
            message = unknown_context_field(names)
            if message is not None:
                self.refuse(step, f"$states.context{message}", certain=False)

    # -- functions -----------------------------------------------------------------------------------------

    def function(self, place: _Place) -> Sequence[_Work]:
        callee, *arguments = place.node.parts
        name = callee.text if callee.kind == "variable" and not place.frame.holds(callee.text) else None
        works: list[_Work] = []
        if callee.kind == "name":
            self.nameless(callee, place.context)
        elif name is None or name in ("", "$"):
            works.append(_Place(callee, place.context, place.frame, _Use.CALLED))
        elif name == "eval":
            self.eval(callee)
        elif name not in FUNCTIONS:
            self.unknown(callee)
        elif place.node.kind == "function":
            self.count(callee, len(arguments) + place.piped)
        last = len(arguments) + place.piped - 1
        for index, argument in enumerate(arguments, place.piped):
            use = _use_of_argument(name, index, last)
            works.append(_Place(argument, place.context, place.frame, use))
        return works

    def nameless(self, callee: Node, context: _Context) -> None:
        hint = f"; write ${callee.text}(...)" if callee.text in FUNCTIONS else "; functions begin with $"
        message = f"{callee.text!r} is a field, not a function{hint}"
        self.refuse(callee, message, certain=context is _Context.ROOT)

    def count(self, callee: Node, given: int) -> None:
        name = callee.text
        least, most = _ADDED.get(name) or _ARITIES[name]
        if given < least or (most is not None and given > most):
            wanted = (
                str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            )
            message = f"${name} takes {wanted} {'argument' if wanted == '1' else 'arguments'}, not {given}"
            self.refuse(callee, message, certain=name not in _ADDED)

    def apply(self, place: _Place) -> Sequence[_Work]:
        """Visits ``x ~> $f``: the right side is called with the left one, or both are chained to a
        function."""
        left, right = place.node.parts
        piped = 1 if right.kind == "function" else 0
        return (
            _Place(left, place.context, place.frame, _Use.EITHER),
            _Place(right, place.context, place.frame, _Use.CALLED, piped),
        )

    def function_literal(self, place: _Place) -> Sequence[_Work]:
        *parameters, body = place.node.parts
        frame = _Frame(place.frame, [parameter.text for parameter in parameters])
        context = _Context.STEP if place.context is _Context.STEP else _Context.FUNCTION
        self.bodies.append(_Place(body, context, frame))
        return ()

    # -- the rest ------------------------------------------------------------------------------------------

    def parts(self, place: _Place) -> Sequence[_Work]:
        return tuple(_Place(part, place.context, place.frame) for part in place.node.parts)

    def text(self, place: _Place) -> Sequence[_Work]:
        """Visits a string; as the first step of a path it is a name."""
        return self.reference(place) if place.is_step else ()

    def binary(self, place: _Place) -> Sequence[_Work]:
        if place.node.text == ".":
            return self.path(place)
        return self.apply(place) if place.node.text == "~>" else self.parts(place)

    def block(self, place: _Place) -> Sequence[_Work]:
        frame = _Frame(place.frame)
        works = [_Place(part, place.context, frame) for part in place.node.parts]
        if works:
            works[-1] = works[-1]._replace(use=place.use)
        return works

    def condition(self, place: _Place) -> Sequence[_Work]:
        test, *branches = place.node.parts
        followers = (_Place(branch, place.context, place.frame, place.use) for branch in branches)
        return (_Place(test, place.context, place.frame), *followers)

    def bind(self, place: _Place) -> Sequence[_Work]:
        name = place.node.text
        value = _Place(place.node.parts[1], place.context, place.frame, _Use.EITHER)
        if name in ("states", "", "$"):
            self.refuse(place.node.parts[0], f"${name} cannot be bound; choose another name")
            return (value,)
        return (value, _Binding(name, place.frame.home))

    def transform(self, place: _Place) -> Sequence[_Work]:
        """Visits ``| where | what |``, whose names refer to the object that it changes."""
        return tuple(_Place(part, _Context.STEP, place.frame) for part in place.node.parts)


_READERS: dict[str, Callable[[_Reader, _Place], Sequence[_Work]]] = {
    **dict.fromkeys(("name", "wildcard", "descendant", "parent"), _Reader.reference),
    **dict.fromkeys(_SPINE, _Reader.path),
    **dict.fromkeys(("function", "partial"), _Reader.function),
    "variable": _Reader.variable,
    "string": _Reader.text,
    "binary": _Reader.binary,
    "lambda": _Reader.function_literal,
    "block": _Reader.block,
    "condition": _Reader.condition,
    "bind": _Reader.bind,
    "transform": _Reader.transform,
}


def _is_dot(node: Node) -> bool:
    return node.kind == "binary" and node.text == "."


def _bare(node: Node) -> Node:
    """Returns a step without its extensions."""
    while node.kind in _SPINE:
        node = node.parts[0]
    return node


def _use_of_argument(function: str | None, index: int, last: int) -> _Use:
    """Returns the use of an argument of a built-in function, or of another function (None)."""
    if function not in FUNCTIONS:
        return _Use.EITHER
    if index not in _CALLBACKS.get(function, ()) or (index == 0 and last > 0):
        return _Use.DATA
    return _Use.CALLED if index == 1 and function in _ALWAYS_CALLED else _Use.EITHER


def _depth(tree: Node) -> int:
    """Returns the number of evaluation levels; a path is one level, regardless of its steps."""
    deepest = 0
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        is_path = node.kind in _SPINE or _is_dot(node)
        for position, part in enumerate(node.parts):
            on_spine = is_path and position == 0 and (part.kind in _SPINE or _is_dot(part))
            stack.append((part, depth if on_spine else depth + 1))
    return deepest


def unknown_context_field(names: Sequence[str | None]) -> str | None:
    """Finds steps that are not part of the known context object.

    Args:
        names: The steps below the context object; None for a step that is not a name.

    Returns:
        The rest of an error message after the name of the context object; None if all steps are known.
    """
    fields: dict[str, Any] | None = CONTEXT_FIELDS
    walked = ""
    for name in names:
        if fields is None or name is None:
            return None
        if name not in fields:
            return f"{walked}.{name} is not a known field; {walked[1:] or 'it'} has {', '.join(fields)}"
        walked += f".{name}"
        fields = fields[name]
    return None


def _hint(text: str, error: JsonataError) -> str:
    at = error.position
    if error.code == "S0211" and text[at : at + 1] in (":", "?") and text[:at].endswith("?"):
        return ". ?: and ?? came after JSONata 2.0.6, the version of Step Functions: write $exists(a) ? a : b"
    return ""


@lru_cache(maxsize=4096)
def read_expression(text: str) -> Reading:
    """Reads the expression between ``{%`` and ``%}``.

    An expression that cannot be parsed has one finding and reads nothing.
    """
    try:
        tree = parse(text)
    except JsonataError as error:
        message = f"The expression does not parse. {error}{_hint(text, error)}"
        return Reading(frozenset(), frozenset(), (Finding(Severity.ERROR, INVALID, message),))
    return _Reader(text).read(tree)
