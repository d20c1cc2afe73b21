"""The few shapes of panel that our boards are made of, with what every panel must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = 8
WIDTH = 24
Shape = TypeVar("Shape", stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask Prometheus, and what to call each time series of the answer."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says of itself.

    Attributes:
        unit: Grafana's identifier, `short` for a plain number.
        width: in columns, of 24.
    """

    title: str
    description: str
    unit: str
    width: int = WIDTH // 2


@dataclass(frozen=True, slots=True)
class Level:
    """A number that stands for a word, and the colour of both."""

    number: int
    word: str
    colour: str


def lines(about: About, *queries: Query) -> timeseries.Panel:
    """Lines over time."""
    panel = _filled(timeseries.Panel(), about, queries)
    legend = common_builders.VizLegendOptions().show_legend(True)
    legend = legend.display_mode(common.LegendDisplayMode.LIST)
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return panel.legend(legend.placement(common.LegendPlacement.BOTTOM)).tooltip(tooltip)


def number(about: About, *queries: Query) -> stat.Panel:
    """The last value of each time series, large."""
    options = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    panel = _filled(stat.Panel(), about, queries).reduce_options(options)
    return panel.color_mode(common.BigValueColorMode.NONE)


def rows(about: About, query: Query, renamed: dict[str, str], hidden: list[str]) -> table.Panel:
    """One row per time series of now, its labels as columns."""
    panel = _framed(table.Panel(), about).with_target(
        _target(query, "A").instant().format(PromQueryFormat.TABLE)
    )
    return panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": dict.fromkeys(hidden, True), "renameByName": renamed},
        )
    )


def states(about: About, query: Query, levels: tuple[Level, ...]) -> statetimeline.Panel:
    """Words over time, one bar per time series."""
    options = {
        str(level.number): models.ValueMappingResult(
            text=level.word, color=level.colour, index=level.number
        )
        for level in levels
    }
    panel = _filled(statetimeline.Panel(), about, (query,))
    panel.mappings([models.ValueMap(options=options)])
    return panel.show_value(common.VisibilityMode.NEVER)


def dashed(panel: timeseries.Panel, name: str, colour: str) -> timeseries.Panel:
    """The line of that name as something to compare the others with."""
    return panel.override_by_name(
        name,
        [
            models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour}),
            models.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        ],
    )


def banded(panel: timeseries.Panel, upper: str, lower: str) -> timeseries.Panel:
    """The space between two lines of those names filled, the lines themselves thin."""
    thin = models.DynamicConfigValue("custom.lineWidth", 0)
    fill = [
        models.DynamicConfigValue("custom.fillBelowTo", lower),
        models.DynamicConfigValue("custom.fillOpacity", 20),
    ]
    return panel.override_by_name(upper, [*fill, thin]).override_by_name(lower, [thin])


def coloured(panel: stat.Panel, levels: tuple[Level, ...]) -> stat.Panel:
    """Each word's value in the colour of the word."""
    for level in levels:
        colour = {"mode": "fixed", "fixedColor": level.colour}
        panel.override_by_name(level.word, [models.DynamicConfigValue("color", colour)])
    return panel.color_mode(common.BigValueColorMode.VALUE)


def row(title: str) -> builders.Row:
    """A heading; the panels after it belong to it."""
    return builders.Row(title)


def _filled(panel: Shape, about: About, queries: tuple[Query, ...]) -> Shape:
    panel = _framed(panel, about)
    for place, query in enumerate(queries):
        panel = panel.with_target(_target(query, chr(ord("A") + place)).range())
    return panel


def _framed(panel: Shape, about: About) -> Shape:
    panel = panel.title(about.title).description(about.description).unit(about.unit)
    return panel.datasource(DATASOURCE).span(about.width).height(HEIGHT)


def _target(query: Query, ref_id: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).ref_id(ref_id).expr(query.expr)
    return target.legend_format(query.legend)
