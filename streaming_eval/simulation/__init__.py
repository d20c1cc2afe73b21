"""What an alarm would do for one's own traffic, before it is trusted: the product's own arithmetic.

Many series are drawn at once and watched by the same detector, baseline bound and thresholds as a
real one; only the bookkeeping of batches and late samples is left out.
"""

from streaming_eval.simulation.forecast import Detection, Forecast, Width, forecast
from streaming_eval.simulation.scenario import Scenario
from streaming_eval.simulation.shares import spread, tilted

__all__ = ["Detection", "Forecast", "Scenario", "Width", "forecast", "spread", "tilted"]
