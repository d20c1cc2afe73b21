"""The native record: what is refused and why, what is read and how."""

from __future__ import annotations

from collections import Counter

import pytest

from streaming_eval.errors import RecordError
from streaming_eval.formats.limits import Limits
from streaming_eval.formats.native import parse
from streaming_eval.formats.reasons import DeadLetterReason
from streaming_eval.records import Message, Sample, Usage
from tests.hostile import LIMITS, Case, corpus, hostile_records, odd_good_records
from tests.hostile_records import ID, encoded, with_raw

_CASES = [
    pytest.param(case, id=case.name[:60].encode("unicode_escape").decode()) for case in corpus()
]


def refusal(value: bytes | None, limits: Limits = LIMITS) -> RecordError:
    with pytest.raises(RecordError) as caught:
        parse(value, limits)
    return caught.value


@pytest.mark.parametrize("case", _CASES)
def test_a_hostile_record_is_refused_for_its_own_reason_and_an_odd_one_is_read(case: Case) -> None:
    if case.reason is None:
        assert parse(case.value, LIMITS).model == "assistant"
    else:
        error = refusal(case.value)
        assert (error.reason, type(error.reason)) == (case.reason.value, str)


def test_every_reason_has_a_case() -> None:
    assert {case.reason for case in corpus()} == {*DeadLetterReason, None}


def test_reasons_are_bounded_label_values() -> None:
    assert all(reason.isidentifier() and reason.islower() for reason in DeadLetterReason)


def test_a_refusal_quotes_nothing_of_the_record() -> None:
    secret = "hunter2"
    values = [
        encoded(**{field: wrong})
        for field in ("id", "time", "model", "prompt", "segments", "usage", "latency_ms")
        for wrong in ([secret], secret * 100, {secret: [secret]}, {secret: "x", "y": secret * 99})
    ]
    values += [with_raw(secret, b'"' + secret.encode() + end) for end in (b"", b"\x00", b'" "')]
    values += [encoded()[:-1] + b', "hunter2": 1, "hunter2": 2}', encoded() + secret.encode()]
    messages = []
    for value in values:
        try:
            parse(value, LIMITS)
        except RecordError as error:
            messages.append(str(error))
    assert len(messages) > 25
    assert not [message for message in messages if secret in message or len(message) > 200]


def test_a_complete_record_becomes_the_sample_it_describes() -> None:
    value = encoded(
        prompt=...,
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        time="2025-03-01T13:34:56.7899+01:00",
        target="because",
        context="Some context.",
        conversation_id="c",
        trace_id="t",
        sampling_fraction=0.25,
        unknown={"is": "fine"},
    )
    assert parse(value, LIMITS) == Sample(
        id=ID,
        event_time_ms=1_740_832_496_789,
        model="assistant",
        messages=(Message("system", "Be brief."), Message("user", "Why?")),
        response="It is Paris.",
        targets=("because",),
        context="Some context.",
        segments={"domain": "geography", "tier": "free"},
        conversation_id="c",
        trace_id="t",
        sampling_fraction=0.25,
        latency_ms=123.5,
        usage=Usage(8, 4),
    )


def test_a_prompt_is_one_user_message_and_absent_fields_are_empty() -> None:
    value = b'{"id": "a", "time": "1970-01-01T00:00:01Z", "model": "m", "prompt": "Why?"}'
    assert parse(value, LIMITS) == Sample("a", 1_000, "m", (Message("user", "Why?"),))


def test_blank_targets_and_empty_references_count_as_absent() -> None:
    value = encoded(target=["", " \t", " Paris "], conversation_id="", trace_id="")
    sample = parse(value, LIMITS)
    assert sample.targets == (" Paris ",)
    assert (sample.conversation_id, sample.trace_id) == (None, None)
    assert parse(encoded(target=" "), LIMITS).targets == ()


def test_text_is_kept_to_the_letter() -> None:
    text = " \u00e9 e\u0301 \u200b\x00\r\n\t{}$1\\ud800 😀 "
    sample = parse(encoded(prompt=text, response=text, target=[text], context=text), LIMITS)
    assert {sample.messages[0].content, sample.response, *sample.targets, sample.context} == {text}


def test_limits_are_inclusive() -> None:
    exact = Limits(
        max_record_bytes=len(encoded()), max_segments=2, max_segment_chars=9, max_messages=1
    )
    parse(encoded(), exact)
    assert refusal(encoded() + b" ", exact).reason == "record_too_large"
    tight = Limits(1_000, max_segments=1, max_segment_chars=9, max_messages=1)
    assert refusal(encoded(), tight).reason == "too_many_segments"
    assert refusal(encoded(segments={"long-name!": ""}), tight).reason == "segment_too_long"


def test_a_map_of_200_000_keys_is_refused_also_where_large_records_are_allowed() -> None:
    keys = b",".join(b'"%d":"v"' % i for i in range(200_000))
    roomy = Limits(100_000_000, max_segments=32, max_segment_chars=256, max_messages=512)
    assert refusal(with_raw("extra", b"{" + keys + b"}"), roomy).reason == "too_many_keys"


def test_every_beginning_of_a_good_record_is_called_truncated() -> None:
    value = encoded(extra=[True, None, -1.5e-7, "é\x01\\"], prompt="😀")
    for end in range(1, len(value)):
        assert refusal(value[:end]).reason == "truncated_json", value[:end]


def test_a_thousand_hostile_records_are_all_refused_and_nearly_all_different() -> None:
    cases = hostile_records(1_000)
    assert [refusal(case.value).reason for case in cases] == [case.reason for case in cases]
    assert max(Counter(case.value for case in cases).values()) < 10
    assert len({case.value for case in cases}) > 700


def test_odd_records_have_ids_of_their_own() -> None:
    ids = [parse(case.value, LIMITS).id for case in odd_good_records()]
    assert len(set(ids)) == len(ids) > 50
