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

# State is one column of text, whose layout is ours; format 2 keeps one lineage under task retries.
# A speculative copy only waits for the first attempt. Generated code is for rows, of which the JVM
# sees hardly any. `spark.redaction` does not know API keys by default.
GUARANTEES: Mapping[str, str] = MappingProxyType(
    {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.streaming.stateStore.providerClass": _ROCKSDB,
        "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
        "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
        "spark.sql.streaming.stateStore.encodingFormat": "unsaferow",
        "spark.sql.streaming.stateStore.checkpointFormatVersion": "2",
        "spark.sql.streaming.minBatchesToRetain": "20",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
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

# Without its native library Hadoop starts a process (`chmod`, `readlink`) several times for every
# file that it creates and renames. This manager and files without checksum files beside them start
# one. The lease keeps a second writer out, which the default manager would notice.
LOCAL_FILES: Mapping[str, str] = MappingProxyType(
    {
        "spark.sql.streaming.checkpointFileManagerClass": (
            "org.apache.spark.sql.execution.streaming.checkpointing."
            "FileSystemBasedCheckpointFileManager"
        ),
    }
)

_SUBMITTED = "PYSPARK_GATEWAY_PORT"  # set by spark-submit for the programs that it runs
# The work is in Python; a JVM that compiles less and collects in one thread leaves it the cores.
_FRUGAL = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_LOGGING = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"


def spark_session(settings: SparkSettings, name: str) -> SparkSession:
    """A session with the settings above.

    Under spark-submit its command line decides on master, memory and jars.

    Args:
        settings: master, memory and parallelism.
        name: the application's name.
    """
    # Stateful Python processors are started by the driver with this interpreter.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    os.environ["JAVA_HOME"] = str(java_home(find_java()))
    builder = SparkSession.builder.appName(name)
    for key, value in (_chosen(settings) | dict(LOCAL_FILES) | dict(GUARANTEES)).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    _write_no_checksum_files(spark)
    return spark


def _write_no_checksum_files(spark: SparkSession) -> None:
    """Tells the one local file system of this JVM, which Hadoop keeps for all who ask.

    `fs.file.impl: RawLocalFileSystem` would do so everywhere, but RocksDB's snapshots are copied by
    a method of Hadoop that insists on the other class.
    """
    assert spark._jvm is not None
    configuration = spark.sparkContext._jsc.hadoopConfiguration()
    files = spark._jvm.org.apache.hadoop.fs.FileSystem.getLocal(configuration)
    files.setWriteChecksum(False)


def _chosen(settings: SparkSettings) -> dict[str, str]:
    """What the operator's settings decide; nothing that spark-submit has decided already."""
    chosen = {
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(settings.partitions),
    }
    if _SUBMITTED in os.environ:
        return chosen
    return chosen | {
        "spark.master": settings.master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.host": settings.driver_host,
        "spark.driver.bindAddress": settings.driver_host,
        "spark.driver.extraJavaOptions": f"{_FRUGAL} {_LOGGING}",
        "spark.ui.enabled": str(settings.ui).lower(),
        "spark.jars": ",".join(str(jar) for jar in spark_jars()),
    }
