import json
import threading
from collections import Counter
from itertools import count

import pytest

from streaming_eval.formats.limits import Limits
from streaming_eval.formats.native import parse
from streaming_eval.local.questions import GPT_4, LLAMA_2_7B, Question, load_questions
from streaming_eval.local.sample_replay import SampleReplay, Swap, TopicRecord
from streaming_eval.records import Sample

LIMITS = Limits(
    max_record_bytes=1_048_576, max_segments=32, max_segment_chars=256, max_messages=512
)


@pytest.fixture(scope="module")
def questions() -> tuple[Question, ...]:
    return load_questions()


def _samples(replay: SampleReplay, n: int) -> list[Sample]:
    return [parse(replay.next().value, LIMITS) for _ in range(n)]


def _replay(questions: tuple[Question, ...], **options: object) -> SampleReplay:
    clock_ms = count(1_700_000_000_000, 1_000).__next__
    return SampleReplay(questions, run_id="run", clock_ms=clock_ms, **options)  # type: ignore[arg-type]


def test_every_question_makes_a_record_that_our_own_parser_takes(
    questions: tuple[Question, ...],
) -> None:
    for question in questions:
        [sample] = _samples(_replay((question,)), 1)
        assert sample.messages[0].content == question.prompt
        assert sample.response == question.answers[GPT_4]
        assert sample.targets == question.targets
        assert sample.segments["source"] == question.source
        assert sample.model == "assistant"


def test_ids_are_unique_keys_and_times_follow_the_clock(questions: tuple[Question, ...]) -> None:
    replay = _replay(questions)
    records = [replay.next() for _ in range(100)]
    samples = [parse(record.value, LIMITS) for record in records]
    assert len({sample.id for sample in samples}) == 100
    assert [record.key for record in records] == [sample.id.encode() for sample in samples]
    assert [s.event_time_ms for s in samples] == [1_700_000_000_000 + n * 1_000 for n in range(100)]


def test_equal_seeds_draw_equal_samples_and_others_do_not(questions: tuple[Question, ...]) -> None:
    one, same, other = (_samples(_replay(questions, seed=seed), 50) for seed in (1, 1, 2))
    assert one == same
    assert [s.messages for s in one] != [s.messages for s in other]


def test_questions_are_drawn_with_replacement_and_none_is_left_out(
    questions: tuple[Question, ...],
) -> None:
    few = questions[:20]
    drawn = Counter(s.messages[0].content for s in _samples(_replay(few), 2_000))
    assert len(drawn) == 20
    assert all(60 < n < 150 for n in drawn.values())


def test_from_the_swap_on_every_response_is_the_other_models(
    questions: tuple[Question, ...],
) -> None:
    replay = _replay(questions)
    before = _samples(replay, 30)
    swap = replay.swap()
    after = _samples(replay, 30)
    answers = {question.prompt: question.answers for question in questions}
    assert all(s.response == answers[s.messages[0].content][GPT_4] for s in before)
    assert all(s.response == answers[s.messages[0].content][LLAMA_2_7B] for s in after)
    assert swap == Swap(at_ms=1_700_000_030_000, after_samples=30)
    assert replay.swap() == swap == replay.swapped


def test_a_swap_can_be_planned_to_the_sample(questions: tuple[Question, ...]) -> None:
    planned, by_hand = _replay(questions, swap_after=10), _replay(questions)
    first = _samples(planned, 20)
    second = _samples(by_hand, 10)
    by_hand.request_swap()
    second += _samples(by_hand, 10)
    assert [s.response for s in first] == [s.response for s in second]
    assert planned.swapped == by_hand.swapped == Swap(1_700_000_010_000, 10)


def test_the_swap_changes_neither_questions_nor_latencies(questions: tuple[Question, ...]) -> None:
    with_swap = _samples(_replay(questions, swap_after=0), 50)
    without = _samples(_replay(questions), 50)
    assert [s.messages for s in with_swap] == [s.messages for s in without]
    assert [s.latency_ms for s in with_swap] == [s.latency_ms for s in without]


def test_threads_share_a_replay_without_repeating_an_id(questions: tuple[Question, ...]) -> None:
    replay = _replay(questions)
    found: list[TopicRecord] = []
    threads = [
        threading.Thread(target=lambda: found.extend(replay.next() for _ in range(2_000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record.key for record in found}) == 8_000 == replay.made


def test_an_unknown_domain_is_left_out(questions: tuple[Question, ...]) -> None:
    [question] = [question for question in questions if not question.domain]
    value = _replay((question,)).next().value
    assert value is not None
    assert json.loads(value)["segments"] == {"source": question.source}
