"""One recorded endpoint for all tests that leave it as they found it, and a client."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from streaming_eval.local.endpoint_process import RecordedEndpoint


@pytest.fixture(scope="session")
def shared_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedEndpoint]:
    directory: Path = tmp_path_factory.mktemp("endpoint")
    with RecordedEndpoint(directory=directory, call_log=directory / "calls") as endpoint:
        yield endpoint


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
