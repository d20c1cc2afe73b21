"""Whatever happens to samples that wait, a restarted process knows of them what the old one did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.adapters import pending_records
from streaming_eval.inference.requeue import Failure, Pending, Place, Verdict
from tests.adapters.waiting import FRESH, NOW_MS, RETRIES, Job, failing

REASONS = ("timeout", "batch_deadline", "not_begun")
RELOAD, TIDY, FRESH_BATCH, RETRY, KILLED_RETRY = "reload", "tidy", "fresh", "retry", "killed"
STEPS = st.lists(
    st.tuples(
        st.sampled_from((RELOAD, TIDY, FRESH_BATCH, FRESH_BATCH, RETRY, RETRY, KILLED_RETRY)),
        st.lists(st.sampled_from((None, *REASONS)), min_size=4, max_size=4),
    ),
    max_size=8,
)


@dataclass
class Model:
    """What waits, in memory only."""

    waiting: dict[Place, Pending] = field(default_factory=dict)
    interrupted: tuple[int, dict[Place, Pending]] | None = None
    earlier: dict[str, tuple[int, Verdict]] = field(default_factory=dict)

    def due(self, now_ms: int) -> dict[Place, Pending]:
        return {w: e for w, e in self.waiting.items() if e.not_before_ms <= now_ms}

    def commit(self, decided: Verdict, application: str, batch: int) -> None:
        if decided.entries:
            self.earlier[application] = (batch, Verdict.earlier(decided.entries))
        for entry in decided.entries:
            where = (entry.record.topic, entry.record.partition, entry.record.offset)
            self.waiting.pop(where, None)
            if not entry.settled:
                self.waiting[where] = entry


class History:
    """A job and its model, taken through the same steps."""

    def __init__(self, root: Path) -> None:
        self.root, self.job, self.model = root, Job(root), Model()
        self.now_ms, self.offsets, self.batches = NOW_MS, 0, {FRESH: 0, RETRIES: 0}

    def step(self, kind: str, reasons: list[str | None]) -> None:
        self.now_ms += 700
        if kind == RELOAD:
            self.job = Job(self.root)
        elif kind == TIDY:
            self.job.pending.tend()
        elif kind == FRESH_BATCH:
            self._commit(FRESH, None, range(self.offsets, self.offsets + 4), reasons)
            self.offsets += 4
        elif self.model.interrupted is None:
            self._retry(reasons, killed=kind == KILLED_RETRY)

    def _retry(self, reasons: list[str | None], *, killed: bool) -> None:
        taken = self.job.pending.due(self.now_ms, 4)
        batch = self.batches[RETRIES]
        offsets = [offset for _, _, offset in taken]
        decided = self._commit(RETRIES, taken, offsets, reasons)
        if killed and decided.entries:
            mine = {entry.record.offset for entry in decided.entries}
            self.model.interrupted = (batch, {w: e for w, e in taken.items() if w[2] in mine})
        else:
            self.job.score(batch)

    def _commit(
        self,
        application: str,
        taken: dict[Place, Pending] | None,
        offsets: range | list[int],
        reasons: list[str | None],
    ) -> Verdict:
        failed: dict[Place, Failure] = {}
        for offset, reason in zip(offsets, reasons, strict=False):
            if reason is not None:
                failed |= failing(reason, offset)
        batch = self.batches[application]
        self.batches[application] += 1
        decided = self.job.commit(batch, failed, taken, self.now_ms)
        self.model.commit(decided, application, batch)
        return decided


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_what_is_due_or_interrupted_does_not_depend_on_restarts_and_tidying(
    steps: list[tuple[str, list[str | None]]],
) -> None:
    with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pending_records, "_ROWS_BETWEEN_TIDYINGS", 0)
        history = History(Path(root))
        for kind, reasons in (*steps, (RELOAD, [])):
            history.step(kind, reasons)
            pending, model = history.job.pending, history.model
            for now_ms in range(history.now_ms, history.now_ms + 4_500, 500):
                assert pending.due(now_ms, 1_000) == model.due(now_ms)
            assert len(pending) == len(model.waiting)
        assert pending.interrupted(RETRIES) == model.interrupted
        for application, (batch, decided) in model.earlier.items():
            assert pending.earlier(application, batch) == decided
