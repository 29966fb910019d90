"""The base class of all public values: frozen, without unknown fields, replaced rather than changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from inspect import Signature, cleandoc, isfunction
from operator import index
from typing import TYPE_CHECKING, Annotated, Any, SupportsIndex

from pydantic import (
    BaseModel,
    BeforeValidator,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticSerializationError
from typing_extensions import Self

from stepsched.core.context import revive
from stepsched.core.durations import read_duration, write_duration
from stepsched.core.quoting import given_text, quoted, shortened

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic._internal._model_construction import ModelMetaclass as _Metaclass
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


Duration = Annotated[
    timedelta, BeforeValidator(read_duration), PlainSerializer(write_duration, when_used="json")
]
"""A duration as a timedelta; numbers are refused, since they have no unit."""


def whole_number(value: object, argument: str) -> int:
    """Returns a count of at least zero as a plain int, also from a type such as ``numpy.int64``.

    Raises:
        ValueError: ``value`` is no such number, or more than stores can hold; True and False are none.
    """
    number = index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else -1
    if number < 0:
        raise ValueError(f"expected a whole number of at least 0 for {argument}, got {quoted(value)}")
    if number >= 2**63:
        raise ValueError(f"expected a whole number below 2**63 for {argument}, got {quoted(value)}")
    return number


def items_of(values: object, argument: str, example: str) -> list[Any]:
    """Returns the items of a list, or of anything that can be iterated once.

    Args:
        values: The list; text, bytes and mappings are refused.
        argument: The name of the argument, for the error.
        example: A list as it may be given, for the error.

    Raises:
        TypeError: ``values`` is no such list.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"expected a list such as {example} for {argument}, got {quoted(values)}")
    return list(values)


_LONGEST_KEY = 256


def _refuse_long_keys(value: Any) -> Any:
    """Refuses keys that are too long to be repeated in an error, which names the key as the place."""
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(key, str) and len(key) > _LONGEST_KEY:
                raise ValueError(f"expected keys of at most {_LONGEST_KEY} characters, got {quoted(key)}")
    return value


ShortKeys = BeforeValidator(_refuse_long_keys)
"""For a field that is a dictionary: no key is longer than any that AWS takes."""
_INTERRUPT = re.compile(
    r"(?:Error (?:serializing to JSON|calling function `[^`]+`): PydanticSerializationError: )*"
    r"Error calling function `[^`]+`: (KeyboardInterrupt|SystemExit): ?(.*)"
)
"""The messages with which pydantic reports that a serializer was interrupted."""


@contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Restores a KeyboardInterrupt or SystemExit that was raised while pydantic called a serializer of this
    package. pydantic converts it to an error."""
    try:
        yield
    except PydanticSerializationError as error:
        found = _INTERRUPT.match(str(error))
        if found is None:
            raise
        if found[1] == "KeyboardInterrupt":
            raise KeyboardInterrupt from None
        raise SystemExit(int(found[2]) if found[2].isdigit() else found[2] or None) from None


class _SignatureOnDemand:
    """Computes the signature of a class on demand, for ``help`` and notebooks. The types of its fields are
    shown as in the source, without validators."""

    def __init__(self, full: Any = None) -> None:
        self.full = full
        """pydantic's own descriptor. None: the class is not built yet."""

    def __get__(self, instance: object, owner: type[BaseModel]) -> Signature:
        if self.full is None:
            owner.model_rebuild()
            return owner.__signature__
        from stepsched.core.descriptions import field_texts

        signature: Signature = self.full.__get__(instance, owner)
        texts = field_texts(owner)
        parameters = [
            each.replace(annotation=texts[each.name].type) if each.name in texts else each
            for each in signature.parameters.values()
        ]
        return signature.replace(parameters=parameters)


_SHOWN = frozenset(
    ("model_dump", "model_dump_json", "model_json_schema", "model_validate", "model_validate_json")
)
"""The methods of pydantic that ``help`` and completion show. The others work, but are not shown."""

if not TYPE_CHECKING:  # for type checkers it is pydantic's

    class _Metaclass(type(BaseModel)):
        """Limits ``help`` and completion to the members that this package defines, without pydantic's."""

        @property
        def __doc__(cls) -> str | None:
            from stepsched.core.descriptions import described

            text = vars(cls).get("__doc__")
            return None if text is None else described(cls, text)

        def __call__(cls, *given: Any, **fields: Any) -> Any:
            if given and cls.__init__ is Value.__init__:  # which would name neither class nor fields
                names = ", ".join(f"{name}=..." for name in cls.model_fields)
                raise TypeError(f"{cls.__name__} takes keyword arguments only: {names}")
            try:
                return super().__call__(*given, **fields)
            except TypeError as error:
                unknown = fields.keys() - _names(cls)
                if not unknown:
                    raise
                raise TypeError(_unknown_fields(cls, unknown)) from error

        def __dir__(cls) -> list[str]:
            machinery = {*dir(BaseModel)} - {*dir(object)}
            ours = {
                name
                for owner in cls.__mro__
                if owner.__module__.partition(".")[0] not in ("pydantic", "builtins", "abc")
                for name, value in vars(owner).items()
                if not name.startswith("_") or (name.endswith("__") and isfunction(value))
            }
            return sorted((ours - machinery) | _SHOWN)


class Value(BaseModel, frozen=True, extra="forbid", defer_build=True, metaclass=_Metaclass):
    """A frozen, validated value. Its validator is built on first use.

    ``model_validate_json()`` reads the result of ``model_dump_json()`` to an equal value.
    """

    if not TYPE_CHECKING:  # type checkers make the constructor of the fields

        def __init__(self, /, **fields: Any) -> None:
            """Validates and sets the fields."""
            super().__init__(**fields)

        __init__.__pydantic_base_init__ = True  # so that pydantic need not call it inside of other values

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        own = vars(cls).get("__init__")
        if own is not None and own.__doc__ is None:  # it would be shown with pydantic's
            own.__doc__ = "Validates and sets the fields."
        if not cls.__pydantic_complete__:
            cls.__signature__ = _SignatureOnDemand()  # type: ignore[assignment]

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        cls.__signature__ = _SignatureOnDemand(vars(cls)["__signature__"])  # type: ignore[assignment]

    @model_validator(mode="before")
    @classmethod
    def _keys_fit(cls, data: Any) -> Any:
        """Refuses each unknown key at its place, with the fields that exist."""
        if type(data) is dict and not data.keys() <= _names(cls):
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(
                        type=_unknown_error(_unknown_fields(cls, [key])),
                        loc=(shortened(given_text(key)),),
                        input=value,
                    )
                    for key, value in data.items()
                    if key not in _names(cls)
                ],
            )
        return data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Returns the schema with the docstrings of the fields as their descriptions."""
        from stepsched.core.descriptions import field_texts

        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        text = vars(cls).get("__doc__")
        if text is not None:
            own["description"] = cleandoc(text)
        for name, field in field_texts(cls).items():
            if field.text and name in own.get("properties", {}):
                own["properties"][name].setdefault("description", field.text)
        return schema

    def __dir__(self) -> list[str]:
        """Returns the names of the class's members and fields."""
        return sorted({*dir(type(self)), *type(self).model_fields})

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Yields only the fields that differ from their default."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if field.is_required() or value != field.get_default(call_default_factory=True):
                yield name, value

    def __repr__(self) -> str:
        """Returns one line of at most 120 characters; long fields are shortened."""
        from stepsched.core.representation import line_of  # only a few programs show values

        return line_of(self)

    def model_dump(self, *options: Any, **named: Any) -> dict[str, Any]:
        """Returns the fields as a dictionary; the options are those of pydantic, such as ``mode="json"``.
        Secrets in them are not masked."""
        with _interrupts_kept():
            return super().model_dump(*options, **named)

    def model_dump_json(self, *options: Any, **named: Any) -> str:
        """Returns the fields as JSON; the options are those of pydantic, such as ``indent=2``. Secrets in
        them are not masked."""
        with _interrupts_kept():
            return super().model_dump_json(*options, **named)

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed, validated like a new value.

        Raises:
            ValueError: A field is unknown, or its new value is refused, with the same error as by the
                constructor.
        """
        known = type(self).model_fields
        unknown = changes.keys() - known.keys()
        if unknown:
            raise ValueError(_unknown_fields(type(self), unknown))
        given = {name: getattr(self, name) for name in known if name in self.model_fields_set}
        return type(self)(**{**given, **changes})


class PositionalValue(Value, frozen=True):
    """A value with its own constructor, so that its main argument needs no keyword."""

    @model_validator(mode="wrap")
    @classmethod
    def _keys_fit(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Refuses unknown and missing keys of a document before the constructor is called: it would raise a
        ``TypeError`` without a location, and it does not know that the document is JSON."""
        if info.mode == "json":
            data = revive(data)
        if type(data) is dict or isinstance(data, Mapping):
            known, required = _keys(cls)
            if not required <= data.keys() <= known:
                unknown = shortened(", ".join(sorted(map(given_text, data.keys() - known))))
                missing = ", ".join(sorted(required - data.keys()))
                problems = {"unknown": unknown, "missing": missing}
                what = "; ".join(f"{word} {names}" for word, names in problems.items() if names)
                raise ValueError(f"{what}; {cls.__name__} has the fields {', '.join(cls.model_fields)}")
        return handler(data)

    def _assign(self, **fields: object) -> None:
        """Validates and sets the fields, for the constructor."""
        super().__init__(**fields)


def _unknown_fields(model: type[BaseModel], names: Iterable[object]) -> str:
    """Returns the refusal of unknown fields, with the most similar field and all others."""
    from difflib import get_close_matches  # only a refusal needs it

    known, unknown = list(model.model_fields), sorted(shortened(given_text(name)) for name in names)
    elsewhere: Mapping[str, str] = getattr(model, "_elsewhere", {})
    ours = [elsewhere[name] for name in unknown if name in elsewhere]
    near = [
        close for name in unknown if name not in elsewhere for close in get_close_matches(name, known, n=1)
    ]
    hint = f"; use {' and '.join(ours)}" if ours else ""
    hint += f"; did you mean {' and '.join(near)}?" if near else ""
    return f"{model.__name__} has no field {', '.join(unknown)}; it has {', '.join(known)}{hint}"


def _unknown_error(text: str) -> PydanticCustomError:
    return PydanticCustomError("extra_forbidden", "{text}", {"text": text})


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    """Returns the names of a model's fields, and their aliases."""
    fields = model.model_fields
    return frozenset(fields) | {field.alias for field in fields.values() if field.alias is not None}


@cache
def _keys(model: type[BaseModel]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the names of a model's fields: all of them, and those without a default."""
    fields = model.model_fields.items()
    return frozenset(dict(fields)), frozenset(name for name, field in fields if field.is_required())
