"""The stateful step on Spark's own tester: no JVM, state as Spark would hold it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count, islice, pairwise
from typing import cast

from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from pyspark.sql import Row
from pyspark.sql.streaming.tws_tester import TwsTester

from streaming_eval.alerting import AlertKind, Baseline, Decision, SeriesState, Why
from streaming_eval.pipeline.arrivals import ARRIVALS, Arrival, BucketArrivals
from streaming_eval.pipeline.preaggregate import MISSING
from streaming_eval.pipeline.series_bucket import bucket_of, read_bucket
from streaming_eval.pipeline.series_processor import REPORTS, STATE, STATE_NAME, SeriesProcessor
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.records import ALL_SEGMENTS, SeriesKey
from tests.pipeline.fleet import PANE_MS, WINDOW_MS, key, plan

Score = tuple[int, int]  # pane index and level, in order of arrival
KEY = key("contains")
GOOD, BAD = 1, 0
SCORES = st.lists(st.tuples(st.integers(1, 12), st.integers(MISSING, 1)), min_size=1, max_size=50)
# Spark would not let late rows through if it saw their time; the query hides it, so do we.
ALWAYS_IN_TIME = 2**62


class Step:
    """The processor of one series under a watermark that is moved by hand."""

    def __init__(self, series: SeriesKey = KEY, **changes: object) -> None:
        processor = SeriesProcessor(plan(**changes))
        self._tester = TwsTester(
            processor, timeMode="EventTime", eventTimeExtractor=lambda _: ALWAYS_IN_TIME
        )
        self._key = str(series)
        self.reports: list[SeriesReport] = []

    @property
    def state(self) -> SeriesState:
        return self.state_of(self._key)

    def state_of(self, key: str) -> SeriesState:
        stored = self._tester.peekValueState(STATE_NAME, bucket_of(key))
        assert stored is not None
        return STATE.unpack((read_bucket(stored[0])[key].state,))

    def take(self, scores: Iterable[Score], key: str | None = None) -> SeriesReport:
        """One batch: as `pane_counts` would hand it over, one row per pane."""
        (only,) = self.take_arrivals(_arrivals(scores, key or self._key))
        return only

    def take_arrivals(self, *readers: Iterable[Arrival]) -> list[SeriesReport]:
        """One batch of one bucket: a row from each reader."""
        parts = [tuple(part) for part in readers]
        rows = [Row(**{ARRIVALS.column: ARRIVALS.pack(BucketArrivals(part))[0]}) for part in parts]
        return self._keep(self._tester.test(bucket_of(parts[0][0].series_key), rows))

    def decide(self, *decisions: Decision, scores: Iterable[Score] = ()) -> SeriesReport:
        """One batch that brings decisions, and perhaps scores."""
        decided = [Arrival(self._key, decision=decision) for decision in decisions]
        (only,) = self.take_arrivals([*decided, *_arrivals(scores, self._key)])
        return only

    def watermark(self, pane: int) -> list[SeriesReport]:
        """Moves the watermark to the start of a pane; the reports of timers that fired."""
        return self._keep(cast("list[Row]", self._tester.setWatermark(pane * PANE_MS)))

    def _keep(self, rows: Iterable[Row]) -> list[SeriesReport]:
        reports = [report for row in rows for report in _reports(row)]
        self.reports += reports
        return reports


def _arrivals(scores: Iterable[Score], key: str = str(KEY)) -> list[Arrival]:
    panes: dict[int, dict[int, int]] = {}
    for pane, level in scores:
        counts = panes.setdefault(pane * PANE_MS, {})
        counts[level] = counts.get(level, 0) + 1
    return [
        Arrival(key, pane_ms, tuple(counts), tuple(counts.values()))
        for pane_ms, counts in panes.items()
    ]


def _reports(row: Row) -> tuple[SeriesReport, ...]:
    """Those of an output row as Spark gives it back: by the schema's names."""
    assert list(row.asDict()) == REPORTS.schema.fieldNames()
    return REPORTS.unpack(row).reports


def fed(scores: Sequence[Score], cuts: Iterable[int]) -> Step:
    step = Step(scorers=[{"kind": "contains", "alarm": False}])
    edges = sorted({0, len(scores), *(cut % len(scores) for cut in cuts)})
    for begin, end in pairwise(edges):
        step.take(scores[begin:end])
    return step


@budget(max_examples=50, deadline=None)
@given(SCORES, st.integers(0, 49), st.integers(2, 14))
def test_one_batch_two_or_one_by_one_leave_the_same_state_and_report(
    scores: list[Score], cut: int, watermark: int
) -> None:
    steps = [fed(scores, cuts) for cuts in ((), (cut,), range(len(scores)))]
    before = {step.state for step in steps}
    closing = [step.watermark(watermark) for step in steps]
    assert len(before) == 1
    assert closing[0] == closing[1] == closing[2]
    assert len({step.state for step in steps}) == 1
    # Timers fire only at the ends of windows; a last batch makes every step report.
    assert len({step.take([(20, GOOD)]) for step in steps}) == 1


def test_every_window_closes_once_and_is_reported_for_the_last_time_then() -> None:
    step = Step()
    for pane in range(1, 23):
        step.take([(pane, GOOD)] * (pane + 1))
        if pane > 2:
            step.watermark(pane - 1)
    step.watermark(40)
    closed = [window for r in step.reports for window in r.closed_windows]
    assert [w.start_ms for w in closed] == [n * WINDOW_MS for n in range(5)]
    assert sum(w.n for w in closed) == sum(range(2, 24)) == step.state.n_total
    for n, earlier in enumerate(step.reports):
        gone = {w.start_ms for w in earlier.closed_windows}
        later = {w.start_ms for r in step.reports[n:] for w in r.windows}
        assert not gone & later
    assert step.state.windows == ()


def test_a_window_that_nobody_adds_to_closes_by_its_timer() -> None:
    step = Step()
    step.take([(1, GOOD), (1, BAD)])
    assert step.watermark(4) == []
    (closing,) = step.watermark(5)
    assert [(w.start_ms, w.counts) for w in closing.closed_windows] == [(0, (1, 1))]
    assert step.watermark(50) == [], "and never again"


def test_late_scores_are_counted_and_change_nothing_else() -> None:
    step = Step()
    step.take([(3, GOOD), (9, GOOD)])
    step.watermark(8)
    before = step.state
    late = step.take([(2, BAD), (3, BAD), (9, BAD)])
    assert (late.n_late, late.n_late_new, late.n_total) == (2, 2, 3)
    assert [w.counts for w in late.windows] == [(1, 1)], "of pane 9 only"
    assert step.state.since_counts == before.since_counts
    again = step.take([(1, BAD)])
    assert (again.n_late, again.n_late_new) == (3, 1)


def test_missing_scores_are_counted_and_are_no_zeros() -> None:
    step = Step()
    step.take([(1, MISSING), (1, GOOD)])
    step.take([(1, MISSING), (2, MISSING)])
    last = step.reports[-1]
    assert (last.n_missing, last.n_total) == (3, 1)
    assert [(w.counts, w.missing) for w in last.windows] == [((0, 1), 3)]


def test_rows_of_one_pane_from_several_partitions_add_up() -> None:
    step = Step()
    step.take_arrivals(_arrivals([(1, GOOD)]), _arrivals([(1, GOOD), (1, BAD)]))
    assert [w.counts for w in step.reports[-1].windows] == [(1, 2)]


def test_the_baseline_is_pinned_once_when_its_last_pane_closes() -> None:
    step = Step()
    step.take([(1, GOOD)] * 90 + [(1, BAD)] * 9)
    step.take([(2, GOOD)] * 5 + [(3, GOOD)] * 2)
    assert not step.reports[-1].pinned, "nothing has closed"
    step.watermark(6)
    assert [r.baseline_is_new for r in step.reports] == [False, False, True]
    pinning = step.reports[-1]
    assert (pinning.baseline.counts, pinning.baseline.end_ms) == ((9, 95), 3 * PANE_MS)
    assert pinning.since.counts == (0, 2)
    step.take([(7, BAD)] * 3)
    step.watermark(20)
    last = step.reports[-1]
    assert sum(r.baseline_is_new for r in step.reports) == 1
    assert last.baseline == pinning.baseline


def test_an_alarm_opens_exactly_once_however_the_batches_are_cut() -> None:
    drop = [(pane, BAD) for pane in range(12, 16) for _ in range(100)]
    for size in (400, 37, 5):
        step = Step()
        step.take([(1, GOOD)] * 2_000)
        step.watermark(6)
        step.take([(8, GOOD)] * 2_000)
        step.watermark(11)
        assert not any(r.alarm for r in step.reports)
        for begin in range(0, len(drop), size):
            step.take(drop[begin : begin + size])
        step.watermark(30)
        kinds = [t.alarm.kind for r in step.reports for t in r.transitions]
        assert sorted(kinds) == [AlertKind.DRIFT, AlertKind.REGRESSION], "a drop is a drift, too"
        opened = [r.alarm for r in step.reports if r.alarm]
        assert set(opened) == {opened[0]}, "it stays as it was when it opened"
        assert opened[0].began_ms == 12 * PANE_MS
        assert step.state.alarm == opened[0]


def test_a_series_whose_scorer_has_no_alarm_never_opens_one() -> None:
    step = Step(scorers=[{"kind": "contains", "alarm": False}])
    step.take([(1, GOOD)] * 2_000)
    step.watermark(6)
    step.take([(8, BAD)] * 2_000)
    last = step.reports[-1]
    assert last.log_evidence > 100
    assert last.alarm is None


def test_names_with_the_separator_in_them_reach_their_plan() -> None:
    odd = key("contains", model="a|b\\p", segment="tier=x|y")
    step = Step(odd)
    assert SeriesKey.parse(step.take([(1, GOOD)]).series_key) == odd


def test_series_are_kept_apart() -> None:
    step, other = Step(), str(key("contains", segment="tier=pro"))
    step.take([(1, GOOD)])
    assert [w.counts for w in step.take([(1, BAD)], other).windows] == [(1, 0)]
    assert [w.counts for w in step.take([(1, GOOD)]).windows] == [(0, 2)]
    assert KEY.segment == ALL_SEGMENTS


def test_a_series_that_was_taken_out_of_the_configuration_ends_quietly() -> None:
    step = Step()
    step.take([(1, GOOD)])
    step._tester.processor = SeriesProcessor(plan(scorers=[{"kind": "token_f1"}]))
    step._tester.processor.init(step._tester.handle)
    before = step.state
    assert step.watermark(40) == []
    assert step.state == before, "what it knew is there if it comes back"


def test_a_promotion_resolves_the_alert_and_is_reported_as_a_new_baseline() -> None:
    step = Step()
    step.take([(1, GOOD)] * 2_000)
    step.watermark(6)
    step.take([(8, BAD)] * 300)
    assert step.state.alarm is not None
    accepted = Baseline((4_000, 1_000), 0, PANE_MS, id="b1")
    promoted = step.decide(Decision(1, 8 * PANE_MS, "mira", "accepted", accepted))
    assert (promoted.baseline.id, promoted.baseline.version) == ("b1", 2)
    assert promoted.baseline_is_new
    assert [t.alarm.kind for t in promoted.transitions] == [AlertKind.REGRESSION, AlertKind.DRIFT]
    for ended in promoted.transitions:
        assert ended.resolution is not None
        assert (ended.resolution.why, ended.resolution.who) == (Why.PROMOTED, "mira")
    later = step.take([(9, BAD)] * 240 + [(9, GOOD)] * 60)
    assert (later.alarm, later.transitions, later.baseline_is_new) == (None, (), False)
    assert (later.since.counts, later.since_ms) == ((240, 60), 9 * PANE_MS)


def test_decisions_are_taken_in_the_order_in_which_they_were_made() -> None:
    step = Step()
    first, second = (Baseline((1, 999), 0, PANE_MS, id=name) for name in ("first", "second"))
    told = step.decide(Decision(2, 0, "b", "", second), Decision(1, 0, "a", "", first))
    assert (told.baseline.id, told.baseline.version) == ("second", 2)


def test_a_decision_that_does_not_fit_is_told_of_and_changes_nothing() -> None:
    step = Step()
    step.take([(1, GOOD)])
    before = step.state
    told = step.decide(Decision(1, 0, "a", "", Baseline((1, 2, 3), 0, PANE_MS, id="odd")))
    assert (told.decisions_unfit, told.baseline_is_new) == (1, False)
    assert step.state == before


def test_the_report_says_how_large_the_state_is() -> None:
    step = Step()
    told = step.take([(1, GOOD)])
    assert told.state_bytes == len(STATE.pack(step.state)[0])


def test_panes_that_must_mature_are_reported_when_they_have() -> None:
    step = Step(monitor={"pane": "1m", "window": "5m", "label_maturity": "10m"})
    young = step.take([(1, GOOD), (7, BAD)])
    assert (young.windows, young.n_total) == ((), 2)
    assert step.watermark(14) == []
    (first,) = step.watermark(15)
    assert [w.counts for w in first.closed_windows] == [(0, 1)]
    (second,) = step.watermark(20)
    assert [w.counts for w in second.closed_windows] == [(1, 0)]


def test_sliding_windows_are_reported_beside_tumbling_ones() -> None:
    step = Step(monitor={"pane": "1m", "window": "5m", "sliding_windows": ["10m"]})
    for pane in range(1, 17):
        step.take([(pane, GOOD)])
        step.watermark(pane)
    (sliding,) = step.reports[-1].sliding_windows
    assert (sliding.width_ms, sliding.window.start_ms) == (2 * WINDOW_MS, 2 * WINDOW_MS)
    assert sliding.window.counts == (0, 7)


def in_one_bucket(n: int) -> list[str]:
    """Keys of series that share the bucket of the first."""
    names = (str(key("contains", segment=f"tier={number}")) for number in count())
    first = next(names)
    return [first, *islice((k for k in names if bucket_of(k) == bucket_of(first)), n - 1)]


def test_series_of_one_bucket_go_their_own_ways() -> None:
    """As each of them does alone, whatever comes to the others, and whoever is woken."""
    keys = in_one_bucket(3)
    together, alone = Step(), {k: Step() for k in keys}
    batches = ([0, 1], [2], [0, 2], [1])
    for pane, arriving in enumerate(batches, start=1):
        scores = {keys[at]: [(pane, GOOD)] * (at + 2) + [(pane, BAD)] for at in arriving}
        told = together.take_arrivals(a for k, some in scores.items() for a in _arrivals(some, k))
        assert told == [alone[k].take(given, k) for k, given in scores.items()]
    for watermark in (3, 7, 12):
        woken = sorted(r.series_key for r in together.watermark(watermark))
        assert woken == sorted(r.series_key for s in alone.values() for r in s.watermark(watermark))
    for k, step in alone.items():
        assert together.state_of(k) == step.state_of(k)


def test_a_series_that_nothing_comes_for_is_not_written_anew() -> None:
    touched, left = in_one_bucket(2)
    step = Step()
    step.take([(1, GOOD)], left)
    step.take([(1, GOOD)], touched)
    stored = step._tester.peekValueState(STATE_NAME, bucket_of(left))
    assert stored is not None
    tampered = stored[0].replace('"n_total":1', '"n_total": 1', 1)  # the line of `left` is first
    assert tampered != stored[0]
    step._tester.updateValueState(STATE_NAME, bucket_of(left), (tampered,))
    step.take([(2, GOOD)], touched)
    after = step._tester.peekValueState(STATE_NAME, bucket_of(left))
    assert after is not None
    assert after[0].split("\n")[0] == tampered.split("\n")[0]
