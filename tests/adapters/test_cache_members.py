"""Jobs on one cache know of each other, within a second and not longer than they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_eval.adapters.cache_members import CacheMember, CacheMembers
from tests.inference.calls.scripted import ManualTime


class Table:
    """A table's directory and the jobs beside it."""

    def __init__(self, root: Path) -> None:
        self.responses, self.time = root / "responses", ManualTime()
        self._root = root

    def spool(self, job: str) -> Path:
        spool = self._root / job / "spool"
        spool.mkdir(parents=True, exist_ok=True)
        return spool

    def join(self, job: str) -> CacheMember:
        return CacheMember(self.responses, self.spool(job))

    def seen_by(self, job: str) -> CacheMembers:
        return CacheMembers(self.responses, self.spool(job), self.time.clock)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_job_alone_sees_nobody(table: Table) -> None:
    assert not table.seen_by("a").present(), "not even a directory"
    table.join("a")
    members = table.seen_by("a")
    assert not members.present()
    assert members.spools == (table.spool("a"),)


def test_a_second_job_is_noticed_a_second_later_and_so_is_its_end(table: Table) -> None:
    held = [table.join("a")]
    members = table.seen_by("a")
    assert not members.present()
    held.append(table.join("b"))
    table.time.now_s += 0.9
    assert not members.present()
    table.time.now_s += 0.2
    assert members.present()
    held[1].release()
    table.time.now_s += 1.1
    assert not members.present()


def test_what_a_job_that_has_ended_left_is_still_looked_at(table: Table) -> None:
    ended = table.join("b")
    ended.release()
    members = table.seen_by("a")
    assert not members.present()
    assert members.spools == (table.spool("a"), table.spool("b"))


def test_a_job_that_starts_again_is_one_member(table: Table) -> None:
    table.join("b").release()
    again = table.join("b")
    members = table.seen_by("a")
    assert members.present()
    assert members.spools == (table.spool("a"), table.spool("b"))
    again.release()


def test_a_member_that_is_only_just_being_made_counts_as_nobody(table: Table) -> None:
    (table.responses.with_name("responses.jobs")).mkdir()
    (table.responses.with_name("responses.jobs") / "new").touch()
    members = table.seen_by("a")
    assert not members.present()
    assert members.spools == (table.spool("a"),)
