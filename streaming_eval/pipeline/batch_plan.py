"""From the settings to when a batch ends and what becomes of samples that lack an answer."""

from __future__ import annotations

from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.inference.calls.batch_deadline import BatchLimits
from streaming_eval.inference.requeue import RequeueLimits
from streaming_eval.pipeline.score_sink import SinkLimits
from streaming_eval.settings import Settings

_CHECK_S = 0.1
_ARRIVING_MS = 1_000
_KEEPING_NOTHING = (CachePolicy.OFF, CachePolicy.READ_ONLY)


def batch_limits(settings: Settings) -> BatchLimits:
    """When a worker ends its part of a batch.

    Where answers are not kept, nothing is won by leaving one behind.
    """
    batches = settings.batches
    keeps = CachePolicy(settings.cache.policy) not in _KEEPING_NOTHING
    return BatchLimits(
        longest_s=batches.deadline / 1_000,
        straggler_after_s=batches.straggler_after / 1_000,
        straggler_share=batches.straggler_share if keeps else 0.0,
        check_s=_CHECK_S,
        grace_s=None,
    )


def sink_limits(settings: Settings) -> SinkLimits:
    """How many samples there may be at once, in a batch and in waiting."""
    batches = settings.batches
    timeouts = (endpoint.request_timeout for endpoint in settings.endpoints.values())
    return SinkLimits(
        records=settings.kafka.max_records_per_trigger,
        pending=batches.max_pending,
        requeue=RequeueLimits(
            max_tries=batches.max_tries,
            first_pause_ms=batches.first_pause,
            longest_pause_ms=batches.longest_pause,
            # A call that outlasts its batch is not repeated, so its attempt under way is its last.
            call_ms=max(timeouts, default=0) + _ARRIVING_MS,
        ),
    )
