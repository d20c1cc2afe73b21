from __future__ import annotations

import asyncio
import time

import pytest

from tests.inference.fake_loop import STARTED_AT, now_s, on_fake_time


def test_an_hour_passes_in_no_time_and_in_order() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, now_s() - STARTED_AT))

    async def work() -> None:
        await asyncio.gather(sleeper("hour", 3600), sleeper("second", 1), sleeper("minute", 60))

    began = time.monotonic()
    on_fake_time(work())
    assert [name for name, _ in seen] == ["second", "minute", "hour"]
    assert [at for _, at in seen] == pytest.approx([1, 60, 3600])
    assert time.monotonic() - began < 1


def test_a_task_left_behind_is_noticed() -> None:
    kept = []

    async def work() -> None:
        kept.append(asyncio.ensure_future(asyncio.Event().wait()))

    with pytest.raises(AssertionError, match="left behind"):
        on_fake_time(work())


def test_waiting_for_ever_is_noticed() -> None:
    with pytest.raises(TimeoutError):
        on_fake_time(asyncio.Event().wait())
