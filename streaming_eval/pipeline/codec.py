"""One dataclass makes the Spark schema, the tuple and the record, so they cannot disagree.

Spark stores a state value of the wrong Python type as NULL without a word, hence every value is
cast on its way in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints

from pyspark.sql import Row
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
)

T = TypeVar("T")
_SCALARS: dict[type, tuple[DataType, Callable[[Any], Any]]] = {
    bool: (BooleanType(), bool),
    int: (LongType(), int),
    float: (DoubleType(), float),
    str: (StringType(), str),
}


class Codec(Generic[T]):
    """Converts one dataclass to and from Spark's tuples.

    Fields may be `bool`, `int`, `float`, `str`, other such dataclasses, tuples of any of these of
    free length (`tuple[X, ...]`), and any of these or None.

    Args:
        record: the dataclass.
    """

    def __init__(self, record: type[T]) -> None:
        self._record = record
        self._kinds = get_type_hints(record)
        self.schema: StructType = _struct(record)

    def pack(self, value: T) -> tuple[Any, ...]:
        """The tuple that Spark stores for `value`."""
        return tuple(_pack(getattr(value, name), kind) for name, kind in self._kinds.items())

    def row(self, value: T) -> Row:
        """A named row for a stateful step's output, which Spark reads by field name."""
        return Row(**_named(value))

    def unpack(self, row: Iterable[Any]) -> T:
        """The record that was packed into `row`."""
        pairs = zip(row, self._kinds.values(), strict=True)
        return self._record(*(_unpack(value, kind) for value, kind in pairs))


def _named(value: Any) -> Any:  # noqa: ANN401
    """Dataclasses as dicts, to any depth."""
    if is_dataclass(value):
        return {f.name: _named(getattr(value, f.name)) for f in fields(value)}
    return [_named(item) for item in value] if isinstance(value, tuple) else value


def _optional(kind: Any) -> tuple[Any, bool]:  # noqa: ANN401 - a type form
    if get_origin(kind) is UnionType and NoneType in get_args(kind):
        (inner,) = (a for a in get_args(kind) if a is not NoneType)
        return inner, True
    return kind, False


def _spark_type(kind: Any) -> DataType:  # noqa: ANN401
    kind, _ = _optional(kind)
    if get_origin(kind) is tuple:
        return ArrayType(_spark_type(get_args(kind)[0]), containsNull=False)
    return _struct(kind) if is_dataclass(kind) else _SCALARS[kind][0]


def _struct(record: Any) -> StructType:  # noqa: ANN401
    hints = get_type_hints(record)
    return StructType([StructField(f.name, _spark_type(hints[f.name])) for f in fields(record)])


def _pack(value: Any, kind: Any) -> Any:  # noqa: ANN401
    kind, optional = _optional(kind)
    if value is None:
        if not optional:
            raise TypeError(f"None where {kind} is needed")
        return None
    if get_origin(kind) is tuple:
        return [_pack(item, get_args(kind)[0]) for item in value]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return tuple(_pack(getattr(value, name), hint) for name, hint in hints.items())
    return _SCALARS[kind][1](value)


def _unpack(value: Any, kind: Any) -> Any:  # noqa: ANN401
    kind, _ = _optional(kind)
    if value is None:
        return None
    if get_origin(kind) is tuple:
        return tuple(_unpack(item, get_args(kind)[0]) for item in value)
    if is_dataclass(kind):
        hints, make = get_type_hints(kind), cast("type[Any]", kind)
        return make(*(_unpack(v, h) for v, h in zip(value, hints.values(), strict=True)))
    return value
