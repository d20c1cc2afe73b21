"""Topics of prompts in the running job: gather vectors, fit centroids, score, find the drift."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streaming_eval.adapters.centroid_file import read_centroids
from streaming_eval.cli import app
from streaming_eval.inference.asking_for_cells import nearest
from streaming_eval.local.embeddings_wire import HASHED_WORDS, hashed_words
from streaming_eval.local.sample_replay import PRODUCTION_MODEL, TopicRecord, rfc3339, wall_ms
from streaming_eval.pipeline.bound_scorers import origin_of
from tests.faults.site import Place, Site
from tests.pipeline.pure_monitor import agrees, check
from tests.pipeline.running import counted, pure_of, settings_of, until, wait_and_stop

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(900)]
TOPICS = ("why did the red fox run", "how does a blue whale swim", "when will my green car start")
GATHERED, BEFORE, AFTER = 120, 400, 400
STEP_MS = 500
DIMENSIONS = 256  # of the recorded endpoint's vectors
CANDIDATE = "llama-2-7b"


def asked(topics: Sequence[int], run_id: str, start_ms: int) -> list[TopicRecord]:
    """One sample per topic given."""
    samples = [
        {
            "id": f"{run_id}-{n}",
            "time": rfc3339(start_ms + n * STEP_MS),
            "model": PRODUCTION_MODEL,
            "prompt": f"{TOPICS[topic]} {n % 20}",
            "response": "That is so.",
        }
        for n, topic in enumerate(topics)
    ]
    return [TopicRecord(s["id"].encode(), json.dumps(s).encode()) for s in samples]


def settings(base_url: str, centroids: Path | None) -> Mapping[str, object]:
    embedding = {"endpoint": "vectors", "model": HASHED_WORDS}
    topics = {"kind": "embedding_cell", "name": "topics", "text": "prompt", "embedding": embedding}
    if centroids is not None:
        topics["centroids"] = str(centroids)
    vectors = {"base_url": base_url, "api": "openai_embeddings"}
    values = {
        "endpoints": {"recorded": {"base_url": base_url}, "vectors": vectors},
        "candidates": [{"name": CANDIDATE, "endpoint": "recorded", "model": CANDIDATE}],
        "comparisons": [{"candidate": CANDIDATE, "against": "production"}],
        "scorers": [topics, {"kind": "prompt_chars"}, {"kind": "response_chars"}],
        "segments": {},
        "monitor.baseline": {"kind": "pinned", "samples": 300},
    }
    return {"monitor.allowed_lateness": "60s"} | {k: json.dumps(v) for k, v in values.items()}


def fit(place: Place, file: Path) -> None:
    changes = [
        part for key, value in place.settings.items() for part in ("--set", f"{key}={value}")
    ]
    options = ["--scorer", "topics", "--cells", str(len(TOPICS)), "-o", str(file)]
    command = ["centroids", "fit", *options, "--config", str(place.configuration), *changes]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert f"{len(TOPICS)} centroids of {GATHERED} vectors" in done.output


def seen(place: Place) -> int:
    return counted(place, PRODUCTION_MODEL, "prompt_chars")


def topics_of(place: Place) -> dict[str, dict[str, Any]]:
    """Sample to its row of the scorer of topics."""
    rows = place.tables().read("scores", None, [("scorer", "=", "topics")]).to_pylist()
    return {row["sample_id"]: row for row in rows}


@dataclass(frozen=True, slots=True)
class Told:
    """What was put in after the centroids had been fitted, and where it all ended up."""

    place: Place
    file: Path
    records: Sequence[TopicRecord]
    gathered: Mapping[str, Mapping[str, Any]]


def cells_of(told: Told) -> dict[str, float | None]:
    """Sample to the cell of its prompt, by the file's centroids and the endpoint's own vectors."""
    (scorer,) = (s for s in settings_of(told.place).scorers if s.embedding is not None)
    assert scorer.embedding is not None
    centroids = read_centroids(told.file, origin_of(scorer, scorer.embedding)).cells
    found = {}
    for record in told.records:
        sample = json.loads(record.value or b"")
        vector = hashed_words(sample["prompt"], DIMENSIONS).tolist()
        found[sample["id"]] = nearest(json.dumps(vector), centroids).value
    return found


@pytest.fixture(scope="module")
def told(site: Site) -> Iterator[Told]:
    """Two runs on one root: vectors are gathered, then topics are told apart until they shift."""
    with site.endpoint("cells", latency_ms=5.0, synthetic=True) as vectors:
        topic, start_ms = site.topic("cells"), wall_ms() - STEP_MS * (GATHERED + BEFORE + AFTER)
        place = site.place("cells", topic, vectors, settings(vectors.base_url, None))
        site.produce(topic, asked([n % 3 for n in range(GATHERED)], "gathered", start_ms))
        with place.job() as job:
            wait_and_stop(place, job, lambda: seen(place) == GATHERED)
        gathered = topics_of(place)
        file = place.directory / "topics.json"
        fit(place, file)
        place = site.place("cells", topic, vectors, settings(vectors.base_url, file))
        balanced, shifted = (n % 3 for n in range(BEFORE)), (int(n % 10 > 0) for n in range(AFTER))
        records = asked([*balanced, *shifted], "seen", start_ms + STEP_MS * GATHERED)
        site.produce(topic, records)
        with place.job() as job:
            until(lambda: seen(place) == GATHERED + len(records), job)
            wait_and_stop(place, job, lambda: agrees(place.tables(), pure_of(place)))
        yield Told(place, file, records, gathered)


def test_before_there_are_centroids_vectors_are_gathered_and_scores_are_missing(told: Told) -> None:
    assert len(told.gathered) == GATHERED
    assert {row["error"] for row in told.gathered.values()} == {"no_centroids"}


def test_each_prompt_lies_in_the_cell_of_the_nearest_centroid(told: Told) -> None:
    cells, found = cells_of(told), topics_of(told.place)
    assert {sample_id: found[sample_id]["value"] for sample_id in cells} == cells
    # The topics share no word, so that each has a cell of its own.
    assert len(set(zip((n % 3 for n in range(BEFORE)), cells.values(), strict=False))) == 3


def test_the_monitor_says_what_the_pure_functions_say_and_finds_the_shift(told: Told) -> None:
    check(told.place.tables(), pure_of(told.place))
    [alert] = [row for row in told.place.read("alerts").to_pylist() if row["scorer"] == "topics"]
    assert (alert["kind"], alert["model"]) == ("drift", PRODUCTION_MODEL)
    gained = cells_of(told)[f"seen-{BEFORE + 1}"]
    assert f"cell {gained:.0f}: more" in alert["drift_cells"]


def test_what_is_asked_is_scored_for_production_alone(told: Told) -> None:
    rows = told.place.read("scores").select(["model", "scorer"]).to_pylist()
    assert {(row["model"], row["scorer"]) for row in rows} == {
        (PRODUCTION_MODEL, "topics"),
        (PRODUCTION_MODEL, "prompt_chars"),
        (PRODUCTION_MODEL, "response_chars"),
        (CANDIDATE, "response_chars"),
    }
