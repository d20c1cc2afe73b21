"""What a PromQL expression reads."""

from __future__ import annotations

import promql_parser
from promql_parser import Expr, MatrixSelector, VectorSelector


def selectors(expr: str) -> list[VectorSelector]:
    """Every selector in a valid expression; an invalid one is a ValueError."""
    found: list[VectorSelector] = []

    def visit(node: Expr) -> bool:
        if isinstance(node, VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def metric_names(expr: str) -> set[str]:
    """The metrics that an expression reads."""
    return {selector.name or "" for selector in selectors(expr)}


def range_selectors(expr: str) -> list[MatrixSelector]:
    """Every selector of a stretch of time, such as `x[5m]`."""
    found: list[MatrixSelector] = []

    def visit(node: Expr) -> bool:
        if isinstance(node, MatrixSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found
