"""One dataclass as one string, so that Spark sees a single column whatever the record holds.

A struct column of the same fields costs 20 ms of generated code per task and state variable, and
Spark stores a value of the wrong Python type in it as NULL without a word; here it is an error, at
the latest when it is read. The text is JSON, so that it can be read where it lies.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import TypeAdapter
from pyspark.sql.types import StringType, StructField, StructType

T = TypeVar("T")


class Codec(Generic[T]):
    """Converts one dataclass to and from Spark's rows of one column.

    Fields may be `bool`, `int`, `float`, `str`, other such dataclasses, tuples of any of these of
    free length (`tuple[X, ...]`), and any of these or None. Integers of any size and finite floats
    come back as they were.

    Args:
        record: the dataclass.
        column: the column's name.
        read_back: whether `pack` makes sure that its row can be read. Needed for what is kept; what
            is read at once is found to be unreadable then.
    """

    def __init__(self, record: type[T], column: str, *, read_back: bool = True) -> None:
        self._adapter = TypeAdapter(record)
        self._read_back = read_back
        self.column = column
        self.schema = StructType([StructField(column, StringType(), nullable=False)])

    def pack(self, value: T) -> tuple[str]:
        """The row for `value`.

        Raises:
            ValueError: with `read_back`, a field does not hold what its annotation says, or a float
                is not finite: what could not be read again is not written.
        """
        row = (self._adapter.dump_json(value, warnings="error").decode(),)
        if self._read_back:
            self.unpack(row)
        return row

    def unpack(self, row: tuple[str, ...]) -> T:
        """The record that was packed into `row`.

        Raises:
            ValueError: the row holds another record, or another layout of it.
        """
        return self._adapter.validate_json(row[0], strict=True)
