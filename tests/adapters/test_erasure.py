"""What is erased is gone: the answers, what quotes them, and in the end their bytes."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from streaming_eval.adapters.cache_lease import CacheLease
from streaming_eval.adapters.checkpoint import lease
from streaming_eval.adapters.erasure import Affected, Wanted, affected, erase
from streaming_eval.adapters.schemas import SCORES
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.errors import StorageError
from tests.adapters.cached_root import CachedRoot, answers, keys, scored
from tests.adapters.paid import paid
from tests.adapters.responses_data import CREATED, key, row

CREATED_MS = int(CREATED.timestamp() * 1_000)


@pytest.fixture
def cached(tmp_path: Path) -> CachedRoot:
    """Sample a and b share answer 1, which judges 11 (a) and 12 (b) quote; c stands alone."""
    cached = CachedRoot(tmp_path)
    cached.answered(*answers(1, 3, 11))
    cached.answered(*answers(12, 13, 20))
    cached.scored(scored("a", 1, 11), scored("a", None, 20), scored("b", 1, 12))
    cached.scored(scored("c", 3, 13))
    return cached


def reached(result: Affected) -> tuple[int, int, int]:
    return result.answers, result.explanations, result.other_samples


WANTED = {
    "an answer with the judges who quote it": (Wanted(keys=(key(1),)), {1, 11, 12}, (3, 2, 2)),
    "a judge's answer alone": (Wanted(keys=(key(13),)), {13}, (1, 1, 1)),
    "an answer that nobody was scored by": (Wanted(keys=(key(99),)), set(), (0, 0, 0)),
    "a sample with what it shares": (Wanted(samples=("a",)), {1, 11, 12, 20}, (4, 3, 1)),
    "a sample that shares nothing": (Wanted(samples=("c",)), {3, 13}, (2, 1, 0)),
    "all who share": (Wanted(samples=("a", "b")), {1, 11, 12, 20}, (4, 3, 0)),
    "several ways at once": (Wanted((key(3),), ("c", "b")), {1, 3, 11, 12, 13}, (5, 3, 1)),
    "everything": (Wanted(before_ms=CREATED_MS + 1), {1, 3, 11, 12, 13, 20}, (6, 4, 3)),
    "nothing that old": (Wanted(before_ms=CREATED_MS), set(), (0, 0, 0)),
}


@pytest.mark.parametrize(("wanted", "gone", "counts"), WANTED.values(), ids=WANTED)
def test_what_is_named_is_erased_and_all_else_stays(
    cached: CachedRoot, wanted: Wanted, gone: set[int], counts: tuple[int, int, int]
) -> None:
    before, words = cached.stored_keys(), cached.explanations()
    cached.index().close()
    announced = affected(cached.places, wanted)
    assert (cached.stored_keys(), cached.explanations()) == (before, words), (
        "a dry run changes nothing"
    )
    done = erase(cached.places, wanted, now=False)
    assert reached(done.affected) == reached(announced) == counts
    assert set(done.affected.keys.to_pylist()) >= keys(gone)
    assert cached.stored_keys() == before - keys(gone)
    assert set(cached.index().lookup(before)) == cached.stored_keys()


def test_scores_keep_their_values_and_lose_only_the_words_about_what_is_erased(
    cached: CachedRoot,
) -> None:
    def scores() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = (
            DeltaTable(str(cached.places.scores)).to_pyarrow_table().to_pylist()
        )
        return sorted(rows, key=lambda r: (str(r["sample_id"]), str(r["judge_cache_key"])))

    before = scores()
    erase(cached.places, Wanted(samples=("a",)), now=False)
    lost = keys({11, 12, 20})
    assert scores() == [
        row | ({"explanation": None} if row["judge_cache_key"] in lost else {}) for row in before
    ]


def test_scores_stay_readable_by_whatever_reads_arrow(cached: CachedRoot) -> None:
    erase(cached.places, Wanted(samples=("a",)), now=False)
    scores = DeltaTable(str(cached.places.scores)).to_pyarrow_dataset()
    assert scores.to_table(filter=pc.field("sample_id").isin(["a", "b"])).num_rows == 3
    assert scores.to_table().schema.equals(SCORES)


def test_words_are_cleared_on_every_day_of_the_table(tmp_path: Path) -> None:
    cached = CachedRoot(tmp_path)
    cached.answered(*answers(1, 11))
    cached.scored(
        *(scored(f"s{day}", 1, 11 + day % 2) | score_day(day) for day in range(4)),
    )
    done = erase(cached.places, Wanted(keys=(key(11),)), now=False)
    assert done.affected.explanations == 2
    assert cached.explanations() == {
        "s0": None,
        "s1": "words about s1",
        "s2": None,
        "s3": "words about s3",
    }


def score_day(day: int) -> dict[str, object]:
    """Columns of a score of that day."""
    at = CREATED + timedelta(days=day)
    return {"event_time": at, "event_date": at.date()}


def test_older_answers_are_erased_with_younger_ones_that_quote_them(tmp_path: Path) -> None:
    cached = CachedRoot(tmp_path)
    young = {"created_at": CREATED.replace(year=2026)}
    cached.answered(row(1), row(11) | young, row(3) | young, row(13) | young)
    cached.scored(scored("a", 1, 11), scored("c", 3, 13))
    erase(cached.places, Wanted(before_ms=CREATED_MS + 1), now=False)
    assert cached.stored_keys() == keys({3, 13})
    assert cached.explanations() == {"a": None, "c": "words about c"}


def test_a_sample_without_scores_is_named_and_the_others_are_erased(cached: CachedRoot) -> None:
    done = erase(cached.places, Wanted(samples=("c", "typo")), now=False)
    assert done.affected.unknown_samples == ("typo",)
    assert done.affected.answers == 2


def test_erasing_again_finds_the_sample_and_nothing_left(cached: CachedRoot) -> None:
    erase(cached.places, Wanted(samples=("a",)), now=False)
    again = erase(cached.places, Wanted(samples=("a",)), now=False)
    assert reached(again.affected) == (0, 0, 1)
    assert again.affected.unknown_samples == ()


def test_a_cache_without_scores_is_erased_by_key(cached: CachedRoot) -> None:
    shutil.rmtree(cached.places.scores)
    assert erase(cached.places, Wanted(keys=(key(1),)), now=True).affected.answers == 1
    assert not cached.places.has_scores()


def test_after_now_the_content_is_in_no_file_of_the_root(cached: CachedRoot) -> None:
    cached.index().close()
    content = cached.everything()
    assert all(f"secret {n}." in content for n in (1, 3, 11, 12, 13, 20))
    assert 'question 1"' in content
    assert "words about a" in content
    erase(cached.places, Wanted(samples=("a",)), now=False)
    assert "secret 1." in cached.everything(), "the dead files are still there"
    erase(cached.places, Wanted(samples=("a",)), now=True)
    content = _but_for_old_log_entries(cached)
    for gone in ("secret 1.", "secret 11.", "secret 12.", "secret 20.", 'question 1"'):
        assert gone not in content
    assert "words about a" not in content
    assert "words about b" not in content
    assert "secret 3." in content
    assert "words about c" in content


def _but_for_old_log_entries(cached: CachedRoot) -> str:
    """Without the entries of a table made without `STATISTICS`; Delta removes them in a month."""
    for table in (cached.places.responses, cached.places.scores):
        for entry in sorted((table / "_delta_log").glob("*.json"))[:3]:
            entry.write_text("{}")
    return cached.everything()


def test_from_then_on_the_log_notes_no_text(cached: CachedRoot) -> None:
    erase(cached.places, Wanted(samples=("a",)), now=False)
    restarted = CachedRoot(cached.places.root)
    restarted.answered(*answers(40))
    restarted.scored(scored("d", 40, 41))
    for table, texts in (
        (cached.places.responses, ("secret 40.", "question 40")),
        (cached.places.scores, ("words about d",)),
    ):
        newest = sorted((table / "_delta_log").glob("*.json"))[-1].read_text()
        assert '"minValues"' in newest.replace("\\", "")
        assert not any(text in newest for text in texts)


def test_what_a_killed_job_left_in_the_spool_is_erased_too(cached: CachedRoot) -> None:
    left = paid("left behind")
    with SpoolWriter(cached.places.spool / "batch-9" / "task.spool") as writer:
        writer.append(left)
    done = erase(cached.places, Wanted(keys=(left.cache_key,)), now=True)
    assert done.affected.answers == 1
    assert "answer to left behind" not in _but_for_old_log_entries(cached)


def test_nothing_is_erased_while_the_job_of_this_root_runs(cached: CachedRoot) -> None:
    before = cached.stored_keys()
    with (
        lease(cached.places.root),
        pytest.raises(StorageError, match=r"erased while no job runs.*in use by another"),
    ):
        erase(cached.places, Wanted(samples=("a",)), now=False)
    assert cached.stored_keys() == before
    assert affected(cached.places, Wanted(samples=("c",))).answers == 2


def test_nothing_is_erased_while_another_job_uses_the_cache(cached: CachedRoot) -> None:
    sharing = CacheLease(cached.places.responses)
    with pytest.raises(StorageError, match="every job that shares this cache"):
        erase(cached.places, Wanted(samples=("a",)), now=False)
    sharing.release()
    erase(cached.places, Wanted(samples=("a",)), now=False)


def _monitored(cached: CachedRoot, version: int) -> None:
    for log, content in (("offsets", json.dumps({"version": version})), ("commits", "{}")):
        (cached.places.monitor / log).mkdir(parents=True, exist_ok=True)
        (cached.places.monitor / log / "0").write_text(f"v1\n{{}}\n{content}")


def test_files_that_the_monitor_has_not_read_are_not_deleted(cached: CachedRoot) -> None:
    before = cached.stored_keys()
    _monitored(cached, 1)
    with pytest.raises(StorageError, match="still needs files that --now would delete"):
        erase(cached.places, Wanted(samples=("a",)), now=True)
    assert cached.stored_keys() == before
    erase(cached.places, Wanted(samples=("a",)), now=False)
    _monitored(cached, 2)
    assert erase(cached.places, Wanted(samples=("a",)), now=True).files_deleted
