"""The one shape of everything between a request and its response, so that policies stack.

    complete = with_cache(limit.limited(with_retry(api.send, ...)), ...)

A `Complete` never raises for a failed call: the failure is the response. A `Send` is the innermost
layer, one HTTP exchange, and raises `RetryableError` or `PermanentError`; `with_retry` makes a
`Complete` of it.
"""

from collections.abc import Awaitable, Callable

from streaming_eval.errors import InferenceError
from streaming_eval.records import Request, Response

Complete = Callable[[Request], Awaitable[Response]]
Send = Callable[[Request], Awaitable[Response]]


def failed(error: InferenceError, attempts: int = 0) -> Response:
    """The response that reports a failure, after that many HTTP requests."""
    return Response(
        text=None, error=error.reason, error_detail=error.message or None, attempts=attempts
    )
