"""Several inputs in one HTTP request, for APIs that take them: embeddings, lists of prompts.

    complete = with_cache(with_coalescing(limit.limited(with_retry(api.send, ...)), ...), ...)

Outside it everybody asks for one input and has their own cache key. Inside it, requests that differ
in nothing but their one message are one request with all their messages, so that limit, retry and
quota count what the provider counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import replace

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import canonical
from streaming_eval.inference.calls.joint_response import divided
from streaming_eval.inference.calls.sent import Sent, noting
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.records import Request, Response

_PERHAPS_ONE_INPUT = frozenset(
    ("content_filter", "http_400", "http_413", "http_422", "larger_than_quota", "too_large")
)


def with_coalescing(
    complete: Complete,
    *,
    max_inputs: int,
    max_chars: int,
    max_wait_s: float,
    sleep: Callable[[float], Awaitable[object]],
) -> Complete:
    """Send inputs together that come together; one value belongs to one event loop.

    A request leaves when it is full or `max_wait_s` after its first input came. When it fails for
    a reason that may be the fault of one input (400, 413, 422, a content filter) or of all being
    too much at once (a reply too large, more tokens than the quota has) it is asked again in
    halves, so that a bad input fails alone; any other failure is everybody's. Who is cancelled
    before departure is not sent; the HTTP request is cancelled with the last who waits for it.

    How attempts and tokens of one HTTP request are divided among its responses, see `divided`.

    Args:
        complete: answers a request of several messages with a `JointResponse`.
        max_inputs: inputs in one request at most, at least 1.
        max_chars: characters in one request at most; a longer input goes alone.
        max_wait_s: longest wait for others.
        sleep: waits that many seconds.
    """
    return _Coalescer(complete, max_inputs, max_chars, max_wait_s, sleep)


class _Coalescer:
    def __init__(
        self,
        complete: Complete,
        max_inputs: int,
        max_chars: int,
        max_wait_s: float,
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._complete, self._sleep = complete, sleep
        self._max_inputs, self._max_chars, self._max_wait_s = max_inputs, max_chars, max_wait_s
        self._gathering: dict[bytes, _Party] = {}

    async def __call__(self, request: Request) -> Response:
        try:
            kind = _kind(request)
        except PermanentError as error:
            return failed(error)
        party = self._party(kind, len(request.messages[0].content))
        answer = party.join(request)
        if len(party.waiting) >= self._max_inputs or party.chars >= self._max_chars:
            self._depart(kind, party)
        try:
            return await answer
        except asyncio.CancelledError:
            self._leave(kind, party, answer)
            raise

    def _party(self, kind: bytes, chars: int) -> _Party:
        """Those to travel with: who is gathering if there is room, else a new party."""
        party = self._gathering.get(kind)
        if party is not None and party.chars + chars > self._max_chars:
            self._depart(kind, party)
            party = None
        if party is None:
            party = self._gathering[kind] = _Party()
            party.task = asyncio.create_task(self._wait(kind, party))
        return party

    async def _wait(self, kind: bytes, party: _Party) -> None:
        await self._sleep(self._max_wait_s)
        self._depart(kind, party)

    def _depart(self, kind: bytes, party: _Party) -> None:
        if self._gathering.get(kind) is party:
            del self._gathering[kind]
            waited = party.task
            party.task = asyncio.create_task(party.travel(self._ask), context=Context())
            if waited is not None:
                waited.cancel()

    def _leave(self, kind: bytes, party: _Party, answer: asyncio.Future[Response]) -> None:
        party.leave(answer)
        if not party.waiting:
            if self._gathering.get(kind) is party:
                del self._gathering[kind]
            if party.task is not None:
                party.task.cancel()

    async def _ask(self, requests: Sequence[Request]) -> list[Response]:
        """The answers, one per request, after as many HTTP requests as that takes."""
        if len(requests) == 1:
            return [await self._complete(requests[0])]
        joint = await self._complete(_joined(requests))
        if joint.error not in _PERHAPS_ONE_INPUT:
            return divided(requests, joint)
        middle = len(requests) // 2
        halves = await asyncio.gather(self._ask(requests[:middle]), self._ask(requests[middle:]))
        first, *others = (response for half in halves for response in half)
        return [replace(first, attempts=first.attempts + joint.attempts), *others]


class _Party:
    """Requests that travel together, and who waits for them."""

    def __init__(self) -> None:
        self.waiting: dict[asyncio.Future[Response], Request] = {}
        self.journey = _Journey()
        self.chars = 0
        self.task: asyncio.Task[None] | None = None

    def join(self, request: Request) -> asyncio.Future[Response]:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.waiting[answer] = request
        self.journey.share()
        self.chars += len(request.messages[0].content)
        return answer

    def leave(self, answer: asyncio.Future[Response]) -> None:
        request = self.waiting.pop(answer)
        self.chars -= len(request.messages[0].content)

    async def travel(
        self, ask: Callable[[Sequence[Request]], Awaitable[Sequence[Response]]]
    ) -> None:
        answers = list(self.waiting)
        try:
            with noting(self.journey):
                responses = await ask(list(self.waiting.values()))
        except asyncio.CancelledError:
            for answer in answers:
                answer.cancel()
            raise
        except Exception as error:  # a bug; whoever waits must see it
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
            return
        for answer, response in zip(answers, responses, strict=True):
            if not answer.done():
                answer.set_result(response)


class _Journey(Sent):
    """The HTTP requests of a party, entered in the note of each member's call."""

    __slots__ = ("_shares",)

    def __init__(self) -> None:
        super().__init__(joint=True)
        self._shares: list[Sent] = []

    def share(self) -> None:
        """Lets the call that runs now have its share."""
        part = Sent()
        with noting(part):  # makes it a part of that call
            self._shares.append(part)

    def begin(self) -> None:
        for part in self._shares:
            part.begin()
        super().begin()

    def end(self) -> None:
        for part in self._shares:
            part.end()
        super().end()


def _kind(request: Request) -> bytes:
    """What requests must share to travel together: all but the message."""
    if len(request.messages) != 1:
        raise PermanentError("invalid_request", "one message is one input; there must be just one")
    return canonical(replace(request, messages=()))


def separated(request: Request) -> list[Request]:
    """What was asked for, of which this request may have been made; each asks for one input."""
    return [replace(request, messages=(message,)) for message in request.messages]


def _joined(requests: Sequence[Request]) -> Request:
    return replace(requests[0], messages=tuple(request.messages[0] for request in requests))
