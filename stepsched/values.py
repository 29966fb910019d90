"""The base of every public value: frozen, strict about its fields, replaced rather than changed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from typing_extensions import Self


class Value(BaseModel, frozen=True, extra="forbid"):
    """A frozen, validated value.

    ``model_dump_json()`` and ``model_validate_json()`` are exact mirrors.
    """

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated like a new one.

        Raises:
            ValueError: A field is unknown or its new value is refused, in the same words as
                the constructor's.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        unknown = changes.keys() - fields.keys()
        if unknown:
            names = ", ".join(sorted(unknown))
            raise ValueError(
                f"{type(self).__name__} has no field {names}; it has: {', '.join(fields)}"
            )
        return type(self)(**{**fields, **changes})
