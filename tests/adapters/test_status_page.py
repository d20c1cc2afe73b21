from html.parser import HTMLParser

from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.adapters.status_page import status_page
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import CulpritView, Snapshot
from tests.exporter_data import PROMISES, fleet, view, work

NOW_S = 1_700_000_000.0


class _Rows(HTMLParser):
    """The cells of all rows, and every tag that was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def page(snapshot: Snapshot | None) -> str:
    metrics = PipelineMetrics()
    work(metrics, NOW_S)
    return status_page(snapshot, metrics, ready=snapshot is not None, now_s=NOW_S)


def test_a_series_shows_n_mean_interval_and_state() -> None:
    rows = _Rows(page(fleet())).rows
    assert [
        "assistant", "__all__", "contains", "", "1h", "668", "3", "0.714", "0.66 … 0.763", "0.901",
        "–", "21.50", "12.25", "regressed", "ok", "", "regression: undecided",
    ] in rows  # fmt: skip


def test_what_open_alerts_are_put_down_to_stands_beside_the_series() -> None:
    keys = [SeriesKey(name, "__all__", "helpful", "v1") for name in ("assistant", "b", "last")]
    judged = keys[0]
    said = (CulpritView(judged, "regression", "judge"), CulpritView(judged, "drift", "undecided"))
    rows = _Rows(page(Snapshot(PROMISES, tuple(map(view, keys)), said))).rows
    shown = {row[0]: row[-1] for row in rows if len(row) > 10}
    assert shown["assistant"] == "regression: judge; drift: undecided"
    assert shown["b"] == ""


def test_a_paired_series_shows_the_sign_of_its_effect() -> None:
    rows = [row for row in _Rows(page(fleet())).rows if len(row) > 7 and row[3] == "llama-2-7b"]
    assert [row[7] for row in rows] == ["+0.009"]


def broken(page: str) -> list[str]:
    """First cells of the list of what is broken now."""
    listed = page.split("<h2>Broken now</h2>")[1].split("<h2>")[0]
    return [row[0] for row in _Rows(listed).rows if row]


def judged(**evidence: float) -> Snapshot:
    """One series per model, with this evidence at a threshold of 12."""
    views = (
        view(SeriesKey(model, "__all__", "contains", "v"), log_evidence=e, log_threshold=12.0)
        for model, e in evidence.items()
    )
    return Snapshot(PROMISES, tuple(views))


def test_what_is_broken_now_is_listed_worst_first_and_says_what_the_list_promises() -> None:
    shown = page(judged(one=15.0, two=30.0, three=1.0))
    assert broken(shown) == ["two", "one"]
    assert "at most 10% of the series listed" in shown
    assert "q = 0.1, horizon 7 days" in shown


def test_many_that_are_nearly_alarmed_are_listed_together_and_one_alone_is_not() -> None:
    """Two need evidence of threshold - log(.2), twenty of threshold - log(2)."""
    twenty = {f"m{i}": 11.5 for i in range(20)}
    assert len(broken(page(judged(**twenty)))) == 20
    assert broken(page(judged(alone=11.5))) == []


def test_a_scorer_without_alarm_is_never_called_broken() -> None:
    quiet = view(SeriesKey("m", "__all__", "latency_ms", "v"), log_evidence=99.0, log_threshold=1.0)
    assert broken(page(Snapshot(PROMISES, (quiet,)))) == []


def test_the_pipeline_is_shown_too() -> None:
    rows = _Rows(page(fleet())).rows
    assert ["streaming_eval_samples_total", "outcome=scored", "200"] in rows
    assert ["streaming_eval_last_score_timestamp_seconds", "", "2023-11-14T22:13:20+00:00"] in rows


def test_markup_in_a_name_stays_text() -> None:
    hostile = '"><script>alert(1)</script>'
    shown = _Rows(
        page(Snapshot(PROMISES, (view(SeriesKey(hostile, "'\"", "x", "v"), state=hostile),)))
    )
    assert "script" not in shown.tags
    assert any(row[:1] == [hostile] for row in shown.rows)


def test_before_the_first_snapshot_it_says_so() -> None:
    assert "not ready" in page(None)


def test_a_model_is_listed_when_its_segments_together_say_so_and_none_does_alone() -> None:
    keys = [SeriesKey("m", f"tier={n}", "contains", "v") for n in range(4)]
    near = [view(key, log_evidence=11.0, log_threshold=12.0) for key in keys]
    calm = view(SeriesKey("n", "__all__", "contains", "v"), log_evidence=11.0, log_threshold=12.0)
    shown = page(Snapshot(PROMISES, (*near, calm)))
    listed = shown.split("<h2>Worse somewhere</h2>")[1].split("<h2>")[0]
    assert [row for row in _Rows(listed).rows if row] == [
        ["m", "contains", "", "4", "tier=0", "11.00", "10.61"]
    ]
    alone = page(Snapshot(PROMISES, (near[0], calm)))
    assert "None." in alone.split("<h2>Worse somewhere</h2>")[1].split("<h2>")[0]
