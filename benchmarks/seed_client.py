"""spark-llm-eval 0.1.3 on the same endpoint; runs in a virtual environment of its own.

Settings that work for it: no cache (its preferred cache configuration cannot run), no tiktoken (it
fetches a file at run time), and a metric that accepts the `queries` which its runner passes.
"""

from __future__ import annotations

import os
import sys
import time
import uuid

from pyspark.sql import SparkSession
from spark_llm_eval.core.config import InferenceConfig, MetricConfig, ModelConfig, ModelProvider
from spark_llm_eval.core.task import EvalTask
from spark_llm_eval.evaluation.base import MetricResult, register_metric
from spark_llm_eval.evaluation.lexical import ContainsMetric
from spark_llm_eval.orchestrator.runner import EvaluationRunner, RunnerConfig


@register_metric
class TolerantContains(ContainsMetric):  # type: ignore[misc]
    """Its own `contains`, which refuses the `queries` that its runner passes."""

    name = "tolerant_contains"

    def compute(
        self, predictions: list[str], references: list[str], queries: list[str]
    ) -> MetricResult:
        return super().compute(predictions, references)


def main() -> None:
    """Reads a number of rows per line, evaluates as many and prints rows per second."""
    base_url, model, slots = sys.argv[1], sys.argv[2], int(sys.argv[3])
    os.environ |= {"OPENAI_API_KEY": "none", "PYSPARK_PYTHON": sys.executable}
    spark = (
        SparkSession.builder.master(f"local[{slots}]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", str(slots))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    target = ModelConfig(
        provider=ModelProvider.OPENAI,
        model_name=model,
        endpoint=base_url,
        api_key_secret="OPENAI_API_KEY",
    )
    metrics = [MetricConfig(name="tolerant_contains", metric_type="lexical")]
    inference = InferenceConfig(enable_caching=False)
    config = RunnerConfig(model_config=target, metrics=metrics, inference_config=inference)
    task = EvalTask(
        "bench", "bench", "", target, "{{ question }}", metrics, input_column="question"
    )

    def run(count: int) -> float:
        prompts = [(f"Question {uuid.uuid4().hex}", "recorded") for _ in range(count)]
        data = spark.createDataFrame(prompts, ["question", "reference"]).repartition(slots).cache()
        data.count()
        began = time.monotonic()
        EvaluationRunner(spark, config).run(data, task)
        return count / (time.monotonic() - began)

    for line in sys.stdin:
        print("rate", run(int(line)), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
