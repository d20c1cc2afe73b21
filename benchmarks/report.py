"""Collects figures and prints them as one table."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from benchmarks.ratio import Ratio


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside its goal; `met` is None where there is no goal."""

    goal_id: str
    what: str
    measured: str
    goal: str
    met: bool | None


@dataclass(slots=True)
class Report:
    """Figures in the order in which they were measured."""

    console: Console
    figures: list[Figure] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def progress(self, what: str) -> None:
        """Says at once what goes on, and how many seconds have passed."""
        seconds = time.monotonic() - self.began
        self.console.print(f"  {seconds:5.0f} s  {what}", highlight=False, markup=False)

    def add(
        self, goal_id: str, what: str, measured: str, goal: str = "", *, met: bool | None = None
    ) -> None:
        """Keeps one figure and prints it at once."""
        self.figures.append(Figure(goal_id, what, measured, goal, met))
        self.console.print(f"{goal_id:6} {what}: {measured}  {goal}", highlight=False, markup=False)

    def add_ratio(
        self,
        goal_id: str,
        what: str,
        result: Ratio,
        measured: str,
        *,
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        """Keeps a ratio; its goal is met when the worse end of its interval meets it.

        Args:
            goal_id: of the goal.
            what: is divided by what.
            result: the ratio.
            measured: what both sides came to.
            least: it has to be, if anything.
            most: it may be, if there is such a goal and no `least`.
        """
        goal, met = "", None
        if least is not None:
            goal, met = f">= {least:g}", result.lower >= least
        elif most is not None:
            goal, met = f"<= {most:g}", result.upper <= most
        self.add(goal_id, what, f"{result}; {measured}", goal, met=met)

    def print(self) -> None:
        """Prints all figures as a table."""
        table = Table("goal", "what", "measured", "target", "met", show_lines=True)
        marks = {True: "yes", False: "no", None: ""}
        for f in self.figures:
            table.add_row(f.goal_id, f.what, f.measured, f.goal, marks[f.met])
        self.console.print(table)
