"""The verdict: bad news first, good news only when enough is known."""

import pytest

from streaming_eval.alerting import MonitorState, decide
from streaming_eval.stats.interval import Interval
from tests.alerting.series import plan

PLAN = plan()  # smallest effect .02
NARROW, WIDE = Interval(0.881, 0.92), Interval(0.87, 0.92)
NOTHING, LOOK, PAGE = -700.0, PLAN.log_suspect, PLAN.log_threshold


@pytest.mark.parametrize(
    ("comparable", "alarmed", "log_evidence", "interval", "expected"),
    [
        (True, False, NOTHING, NARROW, "ok"),
        (True, False, NOTHING, WIDE, "insufficient"),
        (False, False, NOTHING, NARROW, "insufficient"),
        (True, False, LOOK - 1e-9, NARROW, "ok"),
        (True, False, LOOK, NARROW, "suspect"),
        (True, False, LOOK, WIDE, "suspect"),
        (True, False, PAGE, NARROW, "suspect"),
        (True, True, NOTHING, WIDE, "regressed"),
        (True, True, PAGE, NARROW, "regressed"),
    ],
)
def test_the_verdict(
    comparable: bool, alarmed: bool, log_evidence: float, interval: Interval, expected: str
) -> None:
    found = decide(
        comparable=comparable,
        alarmed=alarmed,
        log_evidence=log_evidence,
        interval=interval,
        plan=PLAN,
    )
    assert found is MonitorState(expected)
