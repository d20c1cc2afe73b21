"""No attempt without a permit from the quota that all workers share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from streaming_eval.errors import PermanentError, RetryableError
from streaming_eval.inference.complete import Send
from streaming_eval.inference.quota.permit_pool import Permit
from streaming_eval.inference.quota.token_estimate import TokenEstimate
from streaming_eval.records import Request, Response

_REFUSALS = frozenset(("http_429", "http_529"))


class Leases(Protocol):
    """A worker's access to the quota of one endpoint. Every permit taken is ended once."""

    def take_now(self, model: str, tokens: int) -> Permit | None:
        """A permit, if one is at hand and nobody waits for it."""

    async def take(self, model: str, tokens: Callable[[], int]) -> Permit:
        """A permit, as soon as there is one; `tokens` may change its mind while it waits.

        Raises:
            RetryableError: `quota_unreachable`, the driver has not been reached for too long.
        """

    def answered(self, permit: Permit, tokens: int | None) -> None:
        """The request has been answered, and took so many tokens if that is known."""

    def failed(self, permit: Permit) -> None:
        """The request has ended some other way; its tokens may have been spent."""

    def refused(self, permit: Permit, pause_s: float | None) -> None:
        """The provider had no quota left, and wished not to be asked for so long."""


def with_quota(
    send: Send,
    leases: Leases,
    *,
    estimate: TokenEstimate | None = None,
    most_tokens: int | None = None,
    waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Send:
    """`send`, each time with a permit; each HTTP request needs one, so it belongs next to `send`.

    Args:
        send: one HTTP request.
        leases: where permits come from.
        estimate: of the tokens to reserve; None where tokens are not limited.
        most_tokens: the quota's tokens per minute. A request that takes more can never be permitted
            and fails at once with `larger_than_quota`.
        waiting: entered while a request waits for its permit, so that the wait does not count
            against the request's time limit.
    """

    def needed(request: Request) -> int:
        return 0 if estimate is None else estimate.of(request)

    async def permitted(request: Request) -> Response:
        tokens = needed(request)
        if most_tokens is not None and tokens > most_tokens:
            raise _larger(tokens, most_tokens)
        permit = leases.take_now(request.model, tokens)
        if permit is None:
            with waiting():
                permit = await leases.take(request.model, lambda: needed(request))
        try:
            response = await send(request)
        except RetryableError as error:
            if error.reason in _REFUSALS or error.retry_after_s is not None:
                leases.refused(permit, error.retry_after_s)
            else:
                leases.failed(permit)
            raise
        except BaseException:  # cancelled, too: the permit is spent, the place is free
            leases.failed(permit)
            raise
        used = None if estimate is None else estimate.learn(request, response.usage)
        leases.answered(permit, used)
        return response

    return permitted


def _larger(tokens: int, most_tokens: int) -> PermanentError:
    return PermanentError(
        "larger_than_quota",
        f"the request takes about {tokens} tokens, the quota is {most_tokens} per minute",
    )
