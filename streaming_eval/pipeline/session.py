"""The Spark session and the settings that the job's guarantees rest on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pyspark.sql import SparkSession

from streaming_eval.adapters.jars import spark_jars
from streaming_eval.adapters.java import find_java, java_home
from streaming_eval.settings import SparkSettings

_ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"

# State outlives the code, so its encoding is fixed before the first release: Avro can evolve,
# format 2 keeps one lineage under task retries. Speculation would pay twice. `spark.redaction`
# does not know API keys by default.
GUARANTEES: Mapping[str, str] = MappingProxyType(
    {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.streaming.stateStore.providerClass": _ROCKSDB,
        "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
        "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
        "spark.sql.streaming.stateStore.encodingFormat": "avro",
        "spark.sql.streaming.stateStore.checkpointFormatVersion": "2",
        "spark.sql.streaming.minBatchesToRetain": "20",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.speculation": "false",
        "spark.python.worker.reuse": "true",
        "spark.scheduler.mode": "FAIR",
        "spark.redaction.regex": (
            "(?i)secret|password|passwd|token|access[.]?key|api[._-]?key|authorization|credential"
            "|jaas"
        ),
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    }
)


_LOGGING = Path(__file__).with_name("log4j2.properties")


def spark_session(settings: SparkSettings, name: str) -> SparkSession:
    """A session with the settings above; one that spark-submit has made is checked, not replaced.

    Args:
        settings: master, memory and parallelism.
        name: the application's name.
    """
    # Stateful Python processors are started by the driver with this interpreter.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    os.environ["JAVA_HOME"] = str(java_home(find_java()))
    builder = SparkSession.builder.appName(name).master(settings.master)
    builder = builder.config("spark.driver.memory", settings.driver_memory)
    builder = builder.config("spark.ui.enabled", str(settings.ui).lower())
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.driver.host", "127.0.0.1").config(
        "spark.driver.bindAddress", "127.0.0.1"
    )
    builder = builder.config("spark.sql.shuffle.partitions", str(settings.partitions))
    builder = builder.config(
        "spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}"
    )
    builder = builder.config("spark.jars", ",".join(str(jar) for jar in spark_jars()))
    for key, value in GUARANTEES.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
