"""Who is asked, read from a canonical text: always what parsing all of it would say."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streaming_eval.inference.cache.cache_key import canonical
from streaming_eval.inference.cache.request_fields import RequestFields, request_fields
from streaming_eval.records import Message, Request

_MISLEADING = (',"messages":[', '],"model":"', '"}],"model":"x","revision":"y"}', "\\", '"', "],")
_TEXTS = st.lists(st.sampled_from(_MISLEADING) | st.text(max_size=4), max_size=5).map("".join)
_VALUES = st.recursive(
    _TEXTS | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)
_REQUESTS = st.builds(
    Request,
    endpoint=_TEXTS,
    api=_TEXTS,
    model=_TEXTS,
    messages=st.lists(st.builds(Message, _TEXTS, _TEXTS), max_size=3).map(tuple),
    parameters=st.dictionaries(_TEXTS | st.just("model"), _VALUES, max_size=3),
    revision=_TEXTS,
    sample_index=st.integers(0, 3),
)


@given(_REQUESTS)
@example(Request("e", "a", "m", (), {"messages": [[]], "model": "another"}, "r"))
def test_the_fields_are_those_of_the_whole_document(request: Request) -> None:
    text = canonical(request).decode()
    document = orjson.loads(text)
    assert request_fields(text) == RequestFields(
        document["endpoint"], document["api"], document["model"], document["revision"]
    )


@pytest.mark.parametrize("text", ["", "{", ',"messages":[', '{"messages":[],"model":"m"}'])
def test_what_is_no_canonical_text_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        request_fields(text)
