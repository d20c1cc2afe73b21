"""Takes a worker's asks to the driver."""

from __future__ import annotations

import math
import random
import time
import uuid
from http import HTTPStatus

import aiohttp

from streaming_eval.adapters.http_reply import read_at_most
from streaming_eval.adapters.quota_wire import (
    MAX_GRANT_BYTES,
    PATH,
    SIGNATURE,
    QuotaAddress,
    decode_grant,
    encode_ask,
    sign,
)
from streaming_eval.errors import PermanentError, RetryableError
from streaming_eval.inference.quota.endpoint_leases import EndpointLeases
from streaming_eval.inference.quota.messages import Ask, Grant

_TIMEOUT_S = 2.0
_CONNECTIONS = 8


def open_quota_session() -> aiohttp.ClientSession:
    """A session for the driver; open and close it inside the running loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S, ceil_threshold=math.inf),
    )


class QuotaClient:
    """One worker process's way to the driver.

    Args:
        session: from `open_quota_session`.
        address: from the driver.
        patience_s: how long a request waits for a driver that cannot be reached.
    """

    def __init__(
        self, session: aiohttp.ClientSession, address: QuotaAddress, patience_s: float = 30.0
    ) -> None:
        self._session, self._address, self._patience_s = session, address, patience_s

    def leases(self, endpoint: str) -> EndpointLeases:
        """Access to the quota of one endpoint; keep it, each new one is a new worker."""
        return EndpointLeases(
            endpoint,
            self.exchange,
            worker=uuid.uuid4().hex,
            clock=time.monotonic,
            random=random.random,
            patience_s=self._patience_s,
        )

    async def exchange(self, ask: Ask) -> Grant:
        """The driver's answer.

        Raises:
            RetryableError: `quota_unreachable`, there is none.
        """
        answer = await self._post(encode_ask(ask))
        grant = decode_grant(answer) if isinstance(answer, bytes) else answer
        if isinstance(grant, Grant):
            return grant
        raise RetryableError(
            "quota_unreachable", f"the driver grants no quota: {grant or 'no grant in its answer'}"
        )

    async def _post(self, body: bytes) -> bytes | str:
        """What came back, or what went wrong; the errors of aiohttp carry the request's headers."""
        try:
            async with self._session.post(
                self._address.url + PATH,
                data=body,
                headers={SIGNATURE: sign(self._address.secret, body)},
                allow_redirects=False,
            ) as reply:
                if reply.status != HTTPStatus.OK:
                    return f"HTTP {reply.status}"
                return await read_at_most(MAX_GRANT_BYTES, reply)
        except (aiohttp.ClientError, OSError, PermanentError) as error:
            return type(error).__name__  # a TimeoutError is an OSError
