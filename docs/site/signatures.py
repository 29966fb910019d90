"""Types, defaults and signatures as a caller needs them: without what pydantic and griffe add."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TypeAlias, TypeGuard

import griffe
from names import PACKAGE, definition_of

MODEL = f"{PACKAGE}.core.values.Value"
_OBVIOUS = {"class-attribute", "instance-attribute", "module-attribute", "writable"}
"""The labels of griffe that say nothing to a reader; others are "classmethod" and "property"."""
_LONGEST = 60
"""The longest constant that is shown, in characters."""
_Expression: TypeAlias = str | griffe.Expr | None


def simplify(objects: Collection[griffe.Object], public: Collection[griffe.Object]) -> None:
    """Simplifies what a package defines.

    Args:
        objects: All of it.
        public: Those that are exported. A type among them keeps its name, even if it is a long one.
    """
    attributes = [each for each in objects if isinstance(each, griffe.Attribute)]
    for each in objects:
        if isinstance(each, griffe.Function):
            each.returns = _plain(each.returns, public)
            for parameter in each.parameters:
                parameter.annotation = _plain(parameter.annotation, public)
    for each in attributes:
        each.annotation = _plain(each.annotation, public)
    for each in attributes:  # after the annotations, which may name them
        each.value = _shown(each, public)
    classes = [each for each in objects if isinstance(each, griffe.Class)]
    made = {each.path: _signature(each) for each in classes if _is_model(each)}
    for each in classes:
        parameters = made.get(each.path)
        if parameters is not None:
            each.set_member("__init__", griffe.Function("__init__", parameters=parameters))
        _describe_attributes(each)
    for each in objects:
        each.labels -= _OBVIOUS


def _plain(expression: _Expression, public: Collection[griffe.Object]) -> _Expression:
    """A type without what pydantic checks by it, at any depth; names of such types are replaced by them."""
    match expression:
        case griffe.ExprAttribute(values=[griffe.ExprName(name="builtins"), griffe.ExprName(name=name)]):
            return name  # not that of a method of this name
        case griffe.ExprSubscript(slice=griffe.ExprTuple(elements=[first, *_])) if _is_annotated(expression):
            return _plain(first, public)
        case griffe.ExprName() | griffe.ExprAttribute():
            named = _alias(expression)
            if named is None:
                return expression
            plain = _plain(named.value, public)
            return expression if named in public and not isinstance(plain, griffe.ExprName) else plain
        case griffe.Expr():
            for field in dataclasses.fields(expression):
                value = getattr(expression, field.name)
                if isinstance(value, griffe.Expr) and field.name != "parent":
                    setattr(expression, field.name, _plain(value, public))
                elif isinstance(value, list):
                    setattr(expression, field.name, [_plain(each, public) for each in value])
    return expression


def _alias(name: griffe.ExprName | griffe.ExprAttribute) -> griffe.Attribute | None:
    """The alias of a type, defined in the package, that a name stands for; None: it is something else."""
    last = name.last if isinstance(name, griffe.ExprAttribute) else name
    scope = last.parent if isinstance(last, griffe.ExprName) else None
    if not isinstance(scope, griffe.Object) or not name.canonical_path.startswith(f"{PACKAGE}."):
        return None
    found = definition_of(scope, name.canonical_path)
    if not isinstance(found, griffe.Attribute) or not isinstance(found.value, griffe.Expr):
        return None
    return None if isinstance(found.value, griffe.ExprCall) else found  # a call makes a type variable


def _is_annotated(expression: object) -> TypeGuard[griffe.ExprSubscript]:
    return isinstance(expression, griffe.ExprSubscript) and _last(expression.left) == "Annotated"


def _last(expression: str | griffe.Expr) -> str:
    return str(expression).rpartition(".")[2]


def _shown(attribute: griffe.Attribute, public: Collection[griffe.Object]) -> _Expression:
    """The value of a type, the default of a field, or a constant; None: the attribute has none of them."""
    value = attribute.value
    if _is_annotated(value) or _last(attribute.annotation or "") == "TypeAlias":
        return _plain(value, public)
    if isinstance(attribute.parent, griffe.Module):
        return None if isinstance(value, griffe.ExprCall) and len(str(value)) > _LONGEST else value
    if "class-attribute" not in attribute.labels:  # what a method assigns
        return None
    if not isinstance(value, griffe.ExprCall) or _last(value.function) not in ("Field", "field"):
        return value
    keywords = {each.name: each.value for each in value.arguments if isinstance(each, griffe.ExprKeyword)}
    if "default_factory" in keywords:
        factory = keywords["default_factory"]
        return f"{factory}()" if isinstance(factory, griffe.ExprName) else "..."
    return keywords.get("default")


def _is_model(of: griffe.Class) -> bool:
    return any(base.path == MODEL for base in of.mro())


def _signature(model: griffe.Class) -> griffe.Parameters | None:
    """The parameters that pydantic makes of the fields; None: the source has an ``__init__``.

    Nobody passes ``kind``, which is constant.
    """
    family = [model, *model.mro()]
    written = next((each.members["__init__"] for each in family if "__init__" in each.members), None)
    if isinstance(written, griffe.Function):
        if "kind" in written.parameters:
            del written.parameters["kind"]
        return None
    fields = dict[str, griffe.Attribute]()
    for each in reversed(family):
        fields.update(_fields(each))
    keyword = griffe.ParameterKind.keyword_only
    return griffe.Parameters(
        *(
            griffe.Parameter(name, annotation=field.annotation, kind=keyword, default=field.value)
            for name, field in fields.items()
            if name != "kind"
        )
    )


def _fields(model: griffe.Class) -> Mapping[str, griffe.Attribute]:
    return {
        name: member
        for name, member in model.members.items()
        if isinstance(member, griffe.Attribute)
        and not name.startswith("_")
        and member.annotation is not None
        and "instance-attribute" in member.labels
        and "property" not in member.labels
    }


def _describe_attributes(of: griffe.Class) -> None:
    """Gives what the docstring of a class says of its attributes to them, so that all are shown alike."""
    made = of.members.get("__init__")
    for section in of.docstring.parse("google", warnings=False) if of.docstring else ():
        if not isinstance(section, griffe.DocstringSectionAttributes):
            continue
        for item in section.value:
            if item.name not in of.members:  # that of a base that is not shown
                inherited = of.all_members[item.name]
                of.set_member(item.name, griffe.Attribute(item.name, annotation=inherited.annotation))
            member = of.members[item.name]
            assert isinstance(member, griffe.Attribute)
            member.docstring = griffe.Docstring(item.description, parent=member)
            if member.annotation is None and isinstance(made, griffe.Function):
                given = {each.name: each.annotation for each in made.parameters}
                member.annotation = given.get(item.name, item.annotation)
