"""Writes ``stepsched/aio.pyi``: what type checkers are told of the verbs that are made at run time.

    python -m tests.api.stub

The signatures and docstrings are those of ``SchedulerClient`` and ``WorkflowClient``;
``test_async_client.py`` compares.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import stepsched
import stepsched.aio

PACKAGE = Path(stepsched.__file__).parent
STUB = PACKAGE / "aio.pyi"
HEAD = '"""Written by tests/api/stub.py from client.py, workflow_client.py and aio.py: not to be edited."""'
STREAMS = {"iterate": "JobRecord", "upcoming": "UpcomingRun"}
"""What is read by ``async for``, and the class of its items."""
CLIENTS = {
    "AsyncSchedulerClient": ("client.py", "SchedulerClient"),
    "AsyncWorkflowClient": ("workflow_client.py", "WorkflowClient"),
}
"""The asynchronous clients, each with the file and the class whose verbs it has."""
streamed_doc: Callable[[str], str] = vars(stepsched.aio)["_streamed_doc"]  # which no stub shows
CLASSES = ("CallCancelledError", *CLIENTS)


def written() -> str:
    """The text of the stub, before it is formatted."""
    own = _parsed("aio.py")
    classes = [_declared(own, "CallCancelledError")]
    sources = []
    for name, (file, client) in CLIENTS.items():
        sources.append(_parsed(file))
        verbs = [_verb(each) for each in _class(sources[-1], client).body if _is_verb(each)]
        made = _declared(own, name)
        present = {each.name for each in made.body if isinstance(each, _FUNCTIONS)}
        docs = {each.name: each for each in verbs}
        made.body = [
            # Where aio.py has a verb of its own, it has the docstring of the client's, unless it has one.
            docs[each.name]
            if isinstance(each, _FUNCTIONS) and each.name in docs and ast.get_docstring(each) is None
            else each
            for each in made.body
        ]
        made.body += [verb for verb in verbs if verb.name not in present]
        classes.append(made)
    body = ast.Module(body=list(classes), type_ignores=[])
    names = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
    imports = [*_imports(own, sources, names)]
    module = ast.Module(body=[*imports, *classes], type_ignores=[])
    return f"{HEAD}\n{ast.unparse(ast.fix_missing_locations(module))}\n"


def _parsed(file: str) -> ast.Module:
    return ast.parse((PACKAGE / file).read_text(encoding="utf-8"))


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _class(module: ast.Module, name: str) -> ast.ClassDef:
    return next(each for each in module.body if isinstance(each, ast.ClassDef) and each.name == name)


def _is_verb(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and not node.name.startswith("_")


def _verb(node: ast.stmt) -> ast.FunctionDef | ast.AsyncFunctionDef:
    assert isinstance(node, ast.FunctionDef)
    kind = ast.FunctionDef if node.name in STREAMS else ast.AsyncFunctionDef
    item, docstring = STREAMS.get(node.name), _docstring(node)
    match docstring:
        case [ast.Expr(value=ast.Constant(value=str(text)) as said)] if item is not None:
            said.value = streamed_doc(text)
    returns = node.returns if item is None else ast.parse(f"AsyncIterator[{item}]", mode="eval").body
    verb = kind(
        name=node.name,
        args=node.args,
        body=docstring,
        decorator_list=node.decorator_list,
        returns=returns,
    )
    return _Lists().visit(verb)  # type: ignore[no-any-return]


def _is_declared(name: str) -> bool:
    """Whether a method is public or special, or one that the base would leave abstract."""
    return not name.startswith("_") or name.endswith("__") or name == "_shown_table"


def _declared(own: ast.Module, class_name: str) -> ast.ClassDef:
    """A class without its code: public and special methods, also of a private base, and the attributes that
    its docstring names."""
    node = _class(own, class_name)
    private = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id.startswith("_")]
    inherited = [
        each
        for name in private
        for each in _class(own, name).body
        if isinstance(each, _FUNCTIONS) and each.name != "__init__"
    ]
    body: list[ast.stmt] = []
    for each in (*node.body, *inherited):
        if not isinstance(each, _FUNCTIONS) or not _is_declared(each.name):
            continue
        if each.name == "__repr__" or each.name == "__str__":
            continue
        decorators: list[ast.expr] = [mark for mark in each.decorator_list if isinstance(mark, ast.Name)]
        body.append(
            type(each)(
                name=each.name,
                args=each.args,
                body=_docstring(each),
                decorator_list=decorators,
                returns=each.returns,
            )
        )
        for statement in each.body if each.name == "__init__" else ():
            match statement:
                case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Name(id=argument)):
                    (kind,) = (arg.annotation for arg in each.args.args if arg.arg == argument)
                    assert kind is not None
                    attribute = ast.Name(id=name)
                    body.insert(0, ast.AnnAssign(target=attribute, annotation=kind, simple=1, value=None))
    text = ast.get_docstring(node, clean=False)
    assert text is not None
    docstring = ast.Expr(value=ast.Constant(value=text))
    return ast.ClassDef(
        name=node.name,
        bases=[base for base in node.bases if not (isinstance(base, ast.Name) and base.id in private)],
        keywords=[],
        body=[docstring, *body],
        decorator_list=[],
    )


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    text = ast.get_docstring(node, clean=False)
    if text is None:
        return [ast.Expr(value=ast.Constant(value=...))]
    return [ast.Expr(value=ast.Constant(value=text))]


class _Lists(ast.NodeTransformer):
    """``list`` is a verb in the class, so the type is written in full."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id != "list":
            return node
        return ast.Attribute(value=ast.Name(id="builtins"), attr="list")


def _imports(own: ast.Module, clients: list[ast.Module], names: set[str]) -> list[ast.stmt]:
    """The imports of all modules, as far as they are used, one of each module."""
    plain, parts = set[str](), dict[str, set[str]]()
    for node in (each for module in (own, *clients) for each in _statements(module)):
        match node:
            case ast.Import(names=[ast.alias(name=name)]) if name in names:
                plain.add(name)
            case ast.ImportFrom(module=str(module), names=given):
                parts.setdefault(module, set()).update(each.name for each in given if each.name in names)
    parts["stepsched.jobs.upcoming"] = {"UpcomingRun"}
    lines = [f"import {name}" for name in sorted(plain)]
    lines += [f"from {module} import {', '.join(sorted(given))}" for module, given in parts.items() if given]
    return ast.parse("\n".join(lines)).body


def _statements(module: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module, with those that only type checkers see."""
    for node in module.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body
        else:
            yield node


def normal(text: str) -> str:
    """A stub without what formatting changes: the order of its imports, spaces and quotes."""
    module = ast.parse(text)
    imports = [each for each in module.body if isinstance(each, ast.Import | ast.ImportFrom)]
    rest = [each for each in module.body if each not in imports]
    lines = sorted(ast.unparse(each) for each in imports)
    return "\n".join([*lines, *map(ast.unparse, rest)])


if __name__ == "__main__":
    STUB.write_text(written(), encoding="utf-8")
    for arguments in (["format", "--quiet"], ["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(STUB)], check=True)
