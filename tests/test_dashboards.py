import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from promql_parser import MatchOp

from grafana.build import DASHBOARDS, rendered
from grafana.queries import panel_queries, panels, substitute, variable_queries
from streaming_eval.adapters.exporter import exported_metrics
from tests.promql import range_selectors, selectors

BOARDS = {path.name: json.loads(path.read_text()) for path in DASHBOARDS.glob("*.json")}
BY_PROMETHEUS = {"ALERTS": {"alertname", "alertstate"}, "up": set[str]()}
VALUES = {
    "job": "streaming-eval", "model": "assistant", "segment": "__all__", "scorer": "contains",
    "quantity": "latency_ms", "window": "1h", "endpoint": "recorded", "__rate_interval": "5m",
}  # fmt: skip
EXPORTED = {metric.name: metric for metric in exported_metrics()}


def queries() -> list[Any]:
    found = [
        (f"{kind} {title}", expr)
        for board in BOARDS.values()
        for kind, pairs in (("panel", panel_queries(board)), ("variable", variable_queries(board)))
        for title, expr in pairs
    ]
    return [pytest.param(expr, id=f"{title} {place}") for place, (title, expr) in enumerate(found)]


def every_panel() -> list[Any]:
    found = [panel for board in BOARDS.values() for panel in panels(board)]
    return [pytest.param(panel, id=panel["title"]) for panel in found]


def labels_of(metric: str) -> set[str]:
    """Labels that a series of that name can have in Prometheus."""
    if metric in BY_PROMETHEUS:
        return BY_PROMETHEUS[metric]
    exact = EXPORTED.get(metric)
    if exact is None:
        exact = EXPORTED[re.sub(r"_(bucket|sum|count)$", "", metric)]
        assert exact.kind == "histogram", f"{metric} is not exported"
    return {*exact.labels, "le", "job", "instance"}


def test_the_committed_boards_are_what_the_code_builds() -> None:
    on_disk = {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")}
    assert on_disk == rendered(), "run `python -m grafana.build`"


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_the_sdk_reads_back_what_it_wrote(board: dict[str, Any]) -> None:
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert again | {"id": None} == board


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_a_board_can_be_loaded_into_any_grafana(board: dict[str, Any]) -> None:
    assert re.fullmatch(r"streaming-eval-[a-z-]{1,25}", board["uid"])
    assert board["id"] is None
    assert "__inputs" not in board
    assert board["templating"]["list"][0]["type"] == "datasource"
    sources = re.findall(
        r'"uid": "([^"]+)"', json.dumps(board["panels"] + board["templating"]["list"])
    )
    assert set(sources) == {"${datasource}"}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_a_board_has_at_most_25_panels_that_do_not_overlap(board: dict[str, Any]) -> None:
    assert len(list(panels(board))) <= 25
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken = [cell for panel in board["panels"] for cell in cells(panel["gridPos"])]
    assert len(taken) == len(set(taken))
    assert all(0 <= x < 24 for x, _ in taken)


def cells(place: dict[str, int]) -> list[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return [(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])]


@pytest.mark.parametrize("panel", every_panel())
def test_a_panel_says_what_it_shows_and_in_what_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert re.fullmatch(r"[A-Z].+\.", panel["description"])
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references))


@pytest.mark.parametrize("expr", queries())
def test_a_query_is_valid_and_reads_what_is_exported(expr: str) -> None:
    for selector in selectors(substitute(expr, VALUES)):
        assert selector.name
        named = {matcher.name for matcher in selector.matchers.matchers}
        assert named <= labels_of(selector.name), selector.name


@pytest.mark.parametrize("expr", queries())
def test_a_query_keeps_evaluators_apart(expr: str) -> None:
    for selector in selectors(substitute(expr, VALUES)):
        if selector.name not in {"streaming_eval_build_info", "ALERTS"}:
            assert any(
                m.name == "job" and m.op == MatchOp.Equal for m in selector.matchers.matchers
            )


@pytest.mark.parametrize("expr", queries())
def test_counters_are_only_read_as_rates_over_the_chosen_interval(expr: str) -> None:
    substituted = substitute(expr, VALUES | {"__rate_interval": "17s"})
    ranged = {str(r.vector_selector.name) for r in range_selectors(substituted)}
    counted = {
        str(s.name)
        for s in selectors(substituted)
        if str(s.name).endswith(("_total", "_bucket", "_sum", "_count"))
    }
    assert ranged == counted
    assert all(r.range.total_seconds() == 17 for r in range_selectors(substituted))


@pytest.mark.parametrize("panel", every_panel())
def test_legends_name_only_labels_that_the_metrics_have(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        used = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        read = selectors(substitute(target["expr"], VALUES))
        assert used <= {label for s in read for label in labels_of(str(s.name))}


def test_a_query_that_is_wrong_would_be_found() -> None:
    with pytest.raises(ValueError, match="unexpected end"):
        selectors("sum(rate(x{")
    with pytest.raises(KeyError):
        labels_of("streaming_eval_no_such_metric")
    with pytest.raises(KeyError):
        substitute("$no_such_variable", VALUES)
    assert isinstance(promql_parser.parse("up"), promql_parser.VectorSelector)


def test_provisioning_names_no_machine() -> None:
    for path in (Path(DASHBOARDS).parent / "provisioning").rglob("*.yml"):
        settings = [line for line in path.read_text().splitlines() if "#" not in line]
        assert not re.search(r"https?://|: /", "\n".join(settings))
