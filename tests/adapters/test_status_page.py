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
        "–", "21.50", "12.25", "regressed", "–", "", "",
    ] in rows  # fmt: skip


def test_what_open_alerts_are_put_down_to_stands_beside_the_series() -> None:
    judged, other = (
        SeriesKey("assistant", "__all__", "helpful", "v1"),
        SeriesKey("a", "x", "y", "v"),
    )
    said = (CulpritView(judged, "regression", "judge"), CulpritView(judged, "drift", "undecided"))
    rows = _Rows(page(Snapshot(PROMISES, (view(judged), view(other)), said))).rows
    last = {row[0]: row[-1] for row in rows if len(row) > 10}
    assert last == {"assistant": "regression: judge; drift: undecided", "a": ""}


def test_a_paired_series_shows_the_sign_of_its_effect() -> None:
    rows = [row for row in _Rows(page(fleet())).rows if len(row) > 3 and row[3] == "llama-2-7b"]
    assert [row[7] for row in rows] == ["+0.009"]


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
