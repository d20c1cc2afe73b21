"""What our boards have in common."""

from __future__ import annotations

from collections.abc import Iterable

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import dashboard as models

from grafana.panels import DATASOURCE, row

Panel = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
Variable = builders.DatasourceVariable | builders.QueryVariable
Rows = Iterable[tuple[str, Iterable[Panel]]]


def board(
    name: str, uid: str, question: str, variables: Iterable[Variable], sections: Rows
) -> models.Dashboard:
    """A board as Grafana's classic JSON model.

    Args:
        name: after "streaming-eval / ".
        uid: never changes, since links lead to it.
        question: what the board answers.
        variables: in the order in which they depend on each other.
        sections: a heading and what stands below it.
    """
    made = (
        builders.Dashboard(f"streaming-eval / {name}")
        .uid(uid)
        .description(question)
        .tags(["streaming-eval"])
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
    )
    for variable in variables:
        made = made.with_variable(variable)
    for title, panels in sections:
        made = made.with_row(row(title))
        for panel in panels:
            made = made.with_panel(panel)
    built = made.build()
    for place, placed in enumerate(built.panels or (), start=1):
        placed.id_val = place
    return built


def evaluator() -> list[Variable]:
    """The variables that every board begins with: where the data is, and whose it is."""
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        variable("job", "Evaluator", "label_values(streaming_eval_build_info, job)"),
    ]


def variable(name: str, label: str, query: str) -> builders.QueryVariable:
    """A choice among the values of a label."""
    chosen = builders.QueryVariable(name).label(label).query(query).definition(query)
    return (
        chosen.datasource(DATASOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
