"""The verbs for the cache as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streaming_eval.adapters.cache_lease import CacheLease
from streaming_eval.cli.cache import cache_app
from tests.adapters.cached_root import CachedRoot, answers, keys, scored
from tests.adapters.indexed import later
from tests.adapters.responses_data import key, row

MINIMAL = Path(__file__).parents[1] / "configurations" / "minimal.yaml"
HEAVY = ("pyspark", "pandas", "pyarrow", "deltalake", "numpy")


@pytest.fixture
def cached(tmp_path: Path) -> CachedRoot:
    """Answers 1 to 3 of today and 4 of long ago; sample a has answer 1 and judge's answer 2."""
    cached = CachedRoot(tmp_path)
    today = {"created_at": datetime.now(UTC)}
    cached.answered(*(answer | today for answer in answers(1, 2, 3)), row(4))
    cached.scored(scored("a", 1, 2), scored("b", 1), scored("c", 3))
    return cached


def verb(cached: CachedRoot, *arguments: str) -> Result:
    root = f"storage.root={cached.places.root}"
    return CliRunner().invoke(
        cache_app, [*arguments, "--config", str(MINIMAL), "--set", root], env={"COLUMNS": "200"}
    )


def test_stats_are_printed_for_people(cached: CachedRoot) -> None:
    result = verb(cached, "stats")
    assert result.exit_code == 0, result.output
    summary, model = result.stdout.splitlines()
    assert summary.startswith("4 answers to 4 requests, 0 of them replaced by newer ones; ")
    assert "in 1 files" in summary
    assert model.startswith("llama-2-7b  http://127.0.0.1:8000/v1  4  10  0  2025-06-01T12:00:00")


def test_stats_are_printed_for_programs(cached: CachedRoot) -> None:
    found = json.loads(verb(cached, "stats", "--output", "json").stdout)
    assert (found["rows"], found["keys"], found["superseded"], found["files"]) == (4, 4, 0, 1)
    assert found["models"][0]["input_tokens"] == 10


def test_old_answers_are_pruned_after_a_dry_run(cached: CachedRoot) -> None:
    dry = verb(cached, "prune", "--older-than", "30d", "--dry-run")
    assert dry.stdout == "would remove 1 answers and 0 that newer ones have replaced\n"
    assert len(cached.stored_keys()) == 4
    result = verb(cached, "prune", "--older-than", "30d")
    first, second = result.stdout.splitlines()
    assert first == "removed 1 answers and 0 that newer ones have replaced"
    assert "daily clean-up" in second
    assert "7 days" in second
    assert cached.stored_keys() == keys({1, 2, 3})


def test_replaced_answers_are_pruned_with_their_files(cached: CachedRoot) -> None:
    cached.answered(later(4, 60, "new"))
    result = verb(cached, "prune", "--duplicates", "--now", "--output", "json")
    assert json.loads(result.stdout) == {
        "answers": 0,
        "superseded": 1,
        "files_deleted": 2,
        "dry_run": False,
    }
    assert cached.stored_keys() == keys({1, 2, 3, 4})


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (["--model", "llama-2-7b"], set()),
        (["--model", "no such"], {1, 2, 3, 4}),
        (["--endpoint", "http://127.0.0.1:8000/v1", "--older-than", "30d"], {1, 2, 3}),
        (["--revision", ""], set()),
        (["--revision", "r1"], {1, 2, 3, 4}),
    ],
)
def test_answers_are_pruned_by_what_they_came_from(
    cached: CachedRoot, flags: list[str], left: set[int]
) -> None:
    assert verb(cached, "prune", *flags).exit_code == 0
    assert cached.stored_keys() == keys(left)


def test_a_sample_is_erased_and_the_shared_answer_is_mentioned(cached: CachedRoot) -> None:
    dry = verb(cached, "erase", "--sample-id", "a", "--dry-run")
    assert dry.stdout.splitlines() == [
        "would erase 2 answers and the judge's words in 1 scores",
        "1 other samples were scored by the same answers",
    ]
    result = verb(cached, "erase", "--sample-id", "a", "--now")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "erased 2 answers and the judge's words in 1 scores"
    assert lines[2].startswith("deleted ")
    assert cached.stored_keys() == keys({3, 4})


def test_answers_are_erased_by_key_and_age(cached: CachedRoot) -> None:
    result = verb(cached, "erase", "--key", key(3), "--older-than", "30d", "-o", "json")
    assert json.loads(result.stdout) == {
        "dry_run": False,
        "keys": sorted([key(3), key(4)]),
        "answers": 2,
        "explanations": 0,
        "other_samples": 1,
        "unknown_samples": [],
        "files_deleted": None,
    }
    assert cached.stored_keys() == keys({1, 2})


def test_a_sample_without_scores_is_a_failure(cached: CachedRoot) -> None:
    result = verb(cached, "erase", "--sample-id", "c", "--sample-id", "typo")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: there are no scores of sample typo, so no answers are known for it\n"
    )
    assert cached.stored_keys() == keys({1, 2, 4})


@pytest.mark.parametrize("arguments", [["erase", "--key", key(1)], ["prune", "--duplicates"]])
def test_nothing_is_taken_from_under_a_running_job(
    cached: CachedRoot, arguments: list[str]
) -> None:
    running = CacheLease(cached.places.responses)
    result = verb(cached, *arguments, "--now")
    running.release()
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "stop every job that shares this cache" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["prune"], "say which answers: --older-than, --endpoint, --model"),
        (["prune", "--dry-run", "--now"], "say which answers"),
        (["prune", "--older-than", "30"], "--older-than: a duration such as 30s"),
        (["erase"], "say which answers: --key, --sample-id or --older-than"),
        (["erase", "--key", "0123"], "'0123' is no cache key: 64 hexadecimal digits"),
        (["erase", "--key", key(1).upper()], "is no cache key"),
    ],
)
def test_a_verb_that_does_not_say_what_it_wants_is_a_usage_error(
    cached: CachedRoot, arguments: list[str], problem: str
) -> None:
    result = verb(cached, *arguments)
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.replace("│", " ").split())
    assert len(cached.stored_keys()) == 4


@pytest.mark.parametrize(
    "arguments", [["stats"], ["prune", "--duplicates"], ["erase", "--sample-id", "a"]]
)
def test_where_no_job_has_run_there_is_no_cache(tmp_path: Path, arguments: list[str]) -> None:
    root = f"storage.root={tmp_path / 'nowhere'}"
    result = CliRunner().invoke(cache_app, [*arguments, "--config", str(MINIMAL), "--set", root])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no cache under")
    assert not (tmp_path / "nowhere").exists()


def test_looking_at_the_verbs_imports_nothing_heavy() -> None:
    code = f"import sys, streaming_eval.cli.cache; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_answer_as_old_as_asked_is_not_older(cached: CachedRoot) -> None:
    ago = datetime.now(UTC) - timedelta(days=2)
    cached.answered(row(5) | {"created_at": ago})
    verb(cached, "prune", "--older-than", "3d")
    assert key(5) in cached.stored_keys()
    verb(cached, "prune", "--older-than", "1d")
    assert key(5) not in cached.stored_keys()
