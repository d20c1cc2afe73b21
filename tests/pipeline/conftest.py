"""One real broker and one real endpoint for all tests of the running job."""

from collections.abc import Iterator

import pytest

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.kafka_broker import KafkaBroker
from tests.faults.site import Site
from tests.pipeline.story import ENDPOINT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with KafkaBroker(directory / "kafka") as broker:
        yield Site(directory, broker)


@pytest.fixture(scope="session")
def endpoint(site: Site) -> Iterator[RecordedEndpoint]:
    with site.endpoint(ENDPOINT, latency_ms=30.0) as endpoint:
        yield endpoint
