"""The steps of one micro-batch of the score query, as DataFrame to DataFrame; starts nothing."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from streaming_eval.pipeline.worker import BLOBS, Mapper


def evaluated(batch: DataFrame, mapper: Mapper, partitions: int) -> DataFrame:
    """Records of one micro-batch in, blobs of scores and dead letters out.

    Records that ask the same thing go to the same worker, so that a request that occurs twice in
    a batch meets itself there and is paid once.
    """
    return batch.repartition(partitions, _prompt()).mapInArrow(mapper, BLOBS)


def _prompt() -> Column:
    """The text that decides the route: `prompt`, or the contents of `messages`.

    A single message extracts as a JSON string, which is unwrapped so that it equals the same text
    given as `prompt`. What is not JSON goes by its offset. This only routes; the strict parser
    judges the record.
    """
    text = F.col("value").cast("string")
    contents = F.get_json_object(text, "$.messages[*].content")
    unwrapped = F.get_json_object(F.concat(F.lit('{"a":'), contents, F.lit("}")), "$.a")
    prompt = F.get_json_object(text, "$.prompt")
    return F.coalesce(prompt, unwrapped, F.col("offset").cast("string"))
