"""Which failures pass by themselves, so that asking again later may bring an answer."""

from __future__ import annotations

from streaming_eval.inference.calls.batch_deadline import BATCH_DEADLINE, NOT_BEGUN

JUDGE_PREFIX, EMBEDDING_PREFIX = "judge_", "embedding_"
"""Begin the error of a score whose judge's, or whose embedding's, call failed."""

_WORTH_IT = frozenset(
    (
        "bad_http",
        BATCH_DEADLINE,
        NOT_BEGUN,
        "circuit_open",
        "connection",
        "deadline",
        "dns",
        "http_408",
        "http_409",
        "http_425",
        "http_429",
        "quota_unreachable",
        "timeout",
    )
)


def call_reason(error: str) -> str:
    """What the call failed by that made a score fail, whoever was asked.

    >>> call_reason("judge_timeout"), call_reason("timeout")
    ('timeout', 'timeout')
    """
    return error.removeprefix(JUDGE_PREFIX).removeprefix(EMBEDDING_PREFIX)


def worth_another_batch(error: str | None) -> bool:
    """Whether a call that failed so, or a score's error, may well succeed later.

    >>> worth_another_batch("http_503"), worth_another_batch("judge_timeout")
    (True, True)
    >>> worth_another_batch("http_400"), worth_another_batch(None)
    (False, False)
    """
    reason = call_reason(error or "")
    return reason in _WORTH_IT or reason.startswith("http_5")
