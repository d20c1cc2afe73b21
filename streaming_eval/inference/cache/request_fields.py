"""What a request's canonical text says of who is asked, without reading the messages."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import orjson

# In a canonical text these occur first around the messages: a quotation mark inside a string has a
# backslash before it, and within the messages only `role` follows a comma.
_BEFORE, _AFTER = ',"messages":[', '],"model":"'
_REMEMBERED = 1_024


class RequestFields(NamedTuple):
    """Who is asked; see `records.Request`."""

    endpoint: str
    api: str
    model: str
    revision: str


def request_fields(text: str) -> RequestFields:
    """The fields of a canonical text.

    Requests differ mostly in their messages, so what is around these is parsed once.

    >>> request_fields('{"api":"a","endpoint":"e","messages":[],"model":"m","revision":"r"}')
    RequestFields(endpoint='e', api='a', model='m', revision='r')

    Raises:
        ValueError, KeyError: it is no canonical text.
    """
    head, before, rest = text.partition(_BEFORE)
    _, after, tail = rest.partition(_AFTER)
    return _parsed(head + before + after + tail if after else text)


@lru_cache(_REMEMBERED)
def _parsed(text: str) -> RequestFields:
    document = orjson.loads(text)
    return RequestFields(*(document[name] for name in RequestFields._fields))
