"""What the session's file settings must keep possible."""

from pathlib import Path

import pytest

from streaming_eval.pipeline.session import spark_session
from streaming_eval.settings import SparkSettings


@pytest.mark.spark
def test_rocksdb_can_copy_its_snapshots_and_no_file_gets_a_checksum_file(tmp_path: Path) -> None:
    """As its file manager does it: by `copyFromLocalFile` of the checkpoint's file system."""
    source = tmp_path / "local.sst"
    source.write_text("state")
    spark = spark_session(SparkSettings(master="local[1,4]"), "session")
    try:
        assert spark._jvm is not None
        hadoop = spark._jvm.org.apache.hadoop.fs
        target = hadoop.Path(str(tmp_path / "checkpoint" / "kept.sst"))
        files = target.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        files.copyFromLocalFile(hadoop.Path(str(source)), target)
        files.create(hadoop.Path(str(tmp_path / "checkpoint" / "offset"))).close()
    finally:
        spark.stop()
    kept = sorted(path.name for path in (tmp_path / "checkpoint").iterdir())
    assert kept == ["kept.sst", "offset"]
