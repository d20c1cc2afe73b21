"""The workers as the driver sees them: records in, tables out."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from pyspark.sql import DataFrame

from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.call_tally import TALLY
from streaming_eval.adapters.schemas import DEAD_LETTERS, SCORES
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.spending.books import BatchSpending
from streaming_eval.pipeline.purchases import Worked
from streaming_eval.pipeline.score_steps import evaluated
from streaming_eval.pipeline.unfinished import UNFINISHED
from streaming_eval.pipeline.worker import BatchContext, ScorePlan, evaluate_partition

_SCHEMAS = {
    "scores": SCORES,
    "dead_letters": DEAD_LETTERS,
    "unfinished": UNFINISHED,
    "calls": TALLY,
}


class Workers:
    """Evaluates records in parallel tasks.

    Args:
        plan: what the tasks do.
        partitions: how many there are.
        tables: where the answers are found.
        answers: where those that are paid for go.
    """

    def __init__(
        self, plan: ScorePlan, partitions: int, tables: Tables, answers: AnswerStore
    ) -> None:
        self._plan, self._partitions = plan, partitions
        self._tables, self._answers = tables, answers

    def work(
        self, records: DataFrame, batch_id: int, spool: int | str, spending: BatchSpending
    ) -> Worked:
        """One pass over a batch, whose answers are kept whatever becomes of it.

        Args:
            records: with `RECORD_COLUMNS`, and `OWN_RATE` where they have waited.
            batch_id: noted in the rows.
            spool: names the batch among all that have answers in the spool.
            spending: what may be spent.
        """
        version, directory = self._tables.version("responses"), self._answers.opened(spool)
        context = BatchContext(batch_id, version, directory, spending)
        mapper = evaluate_partition(self._plan, context)
        tables = _unpacked(evaluated(records, mapper, self._partitions).toArrow())
        return Worked(tables, self._answers.commit(spool))


def _unpacked(blobs: pa.Table) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {kind: [] for kind in _SCHEMAS}
    for kind, payload in zip(
        *(blobs[name].to_pylist() for name in ("kind", "payload")), strict=True
    ):
        parts[kind].append(pa.ipc.open_stream(payload).read_all())
    return {kind: _concatenated(parts[kind], schema) for kind, schema in _SCHEMAS.items()}


def _concatenated(parts: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *parts])
