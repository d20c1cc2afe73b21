"""What one task adds to the counts of policies that live as long as its process."""

from __future__ import annotations

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.inference.calls.endpoint_stack import EndpointStack


class StackTally:
    """Counts from now on what happens in a stack, for the tally of one task.

    Metrics: `circuit_openings`, `circuit_refusals`, `hedges` by outcome, and as they are when the
    task ends: `circuit_state` by state, `in_flight_limit`.

    Args:
        stack: of the endpoint; one task at a time uses it.
        endpoint: its configured name.
    """

    def __init__(self, stack: EndpointStack, endpoint: str) -> None:
        self._stack, self._endpoint = stack, endpoint
        self._before = _counts(stack)

    def add_to(self, tally: CallTally) -> None:
        """To be called once, when the task has ended its calls."""
        for (metric, label), n in _counts(self._stack).items():
            # Nothing is counted, too, so that the first opening is an increase.
            tally.add(metric, self._endpoint, label, n - self._before[metric, label])
        tally.add("circuit_state", self._endpoint, self._stack.breaker.state.value)
        tally.add("in_flight_limit", self._endpoint, "", self._stack.limit.limit)
        tally.add("requests_in_flight", self._endpoint, "", 0)  # shown of an idle endpoint, too


def _counts(stack: EndpointStack) -> dict[tuple[str, str], int]:
    counts = {
        ("circuit_openings", ""): stack.breaker.openings,
        ("circuit_refusals", ""): stack.breaker.refused,
    }
    if stack.hedge is not None:
        counts["hedges", "won"] = stack.hedge.won
        counts["hedges", "lost"] = stack.hedge.extra - stack.hedge.won
    return counts
