"""A worker process for the quota's tests: so many calls, at most 32 at once, each with a permit.

    python -m tests.adapters.quota_worker ENDPOINT_URL QUOTA_URL CALLS  (the secret comes by stdin)

It says `ready` and begins when it reads one more line.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from streaming_eval.adapters.openai_chat import OpenAIChat, open_session
from streaming_eval.adapters.quota_client import QuotaClient, open_quota_session
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.quota.with_quota import with_quota
from streaming_eval.records import Message, Request


async def work(base_url: str, address: QuotaAddress, calls: int) -> None:
    async with open_session(32) as session, open_quota_session() as quota_session:
        leases = QuotaClient(quota_session, address).leases("e")
        api = OpenAIChat(session, base_url=base_url, api_key=None, timeout_s=5)
        complete = AdaptiveLimit(InFlightLimits.fixed(32)).limited(
            with_retry(
                with_quota(api.send, leases),
                max_attempts=20,
                deadline_s=60,
                sleep=asyncio.sleep,
                random=random.random,
                clock=time.monotonic,
            )
        )
        questions = [(Message("user", str(n)),) for n in range(calls)]
        await asyncio.gather(
            *(complete(Request(base_url, "openai_chat", "m", asked)) for asked in questions)
        )
        await leases.settle()


def main() -> None:
    base_url, quota_url, calls = sys.argv[1:]
    secret = sys.stdin.readline().strip()
    print("ready", flush=True)  # noqa: T201 - the parent waits for it
    sys.stdin.readline()
    asyncio.run(work(base_url, QuotaAddress(quota_url, secret), int(calls)))


if __name__ == "__main__":
    main()
