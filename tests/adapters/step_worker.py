"""A worker of a job of its own on a common cache, to be run as a process.

    python -m tests.adapters.step_worker ENDPOINT_URL SHARED ROOT QUESTIONS TIMEOUT

It says `ready`, begins when it reads a line, and ends with a line of JSON: the texts it got, and
how many look-ups came to what.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.worker_runtime import RuntimePlan, WorkerRuntime
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.records import Message, Request, Response
from streaming_eval.settings import EndpointSettings

BATCHES = 3


class _Job:
    def __init__(self, base_url: str, shared: Path, root: Path, timeout: str) -> None:
        settings = EndpointSettings.model_validate(
            {"base_url": base_url, "max_in_flight": 16, "request_timeout": timeout}
        )
        self._tables = Tables(root, places={"responses": shared})
        uri, path = self._tables.uri("responses"), root / "index" / "answers"
        self._store = AnswerStore(self._tables, root / "spool", AnswerIndex(path, uri))
        plan = endpoint_plan("e", settings, 1)
        self._worker = WorkerRuntime(RuntimePlan((plan,), CachePolicy.READ_WRITE, uri, str(path)))

    def batch(self, number: int, requests: list[Request]) -> tuple[list[Response], int]:
        """One micro-batch, committed; its responses and how many rows it brought."""
        version, spool = self._tables.version("responses"), self._store.directory(number)
        with self._worker.task(version, spool) as calls:

            async def together() -> list[Response]:
                return await asyncio.gather(*map(calls.endpoints["e"], requests))

            responses = self._worker.run(together())
        return responses, self._store.commit(number).num_rows

    def close(self) -> None:
        self._worker.close()
        self._store.close()


def main() -> None:
    base_url, shared, root, questions, timeout = sys.argv[1:]
    job = _Job(base_url, Path(shared), Path(root), timeout)
    asked = [
        Request(base_url, "openai_chat", "m", (Message("user", f"question {n}"),))
        for n in range(int(questions))
    ]
    print("ready", flush=True)  # noqa: T201 - the parent waits for it
    sys.stdin.readline()
    texts, added = [], 0
    for number in range(BATCHES):
        responses, rows = job.batch(number, asked[number::BATCHES])
        texts += [response.text or f"!{response.error}" for response in responses]
        added += rows
    job.close()
    print(orjson.dumps({"texts": texts, "added": added}).decode())  # noqa: T201


if __name__ == "__main__":
    main()
