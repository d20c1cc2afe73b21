"""The versions that were tested together: the only place that holds these numbers."""

SPARK = "4.2.0"
DELTA = "4.4.0"
SCALA_BINARY = "2.13"
KAFKA = "4.1.1"
JAVA_MINIMUM = 17

SPARK_PACKAGES = (
    f"io.delta:delta-spark_{'.'.join(SPARK.split('.')[:2])}_{SCALA_BINARY}:{DELTA}",
    f"org.apache.spark:spark-sql-kafka-0-10_{SCALA_BINARY}:{SPARK}",
)
# The broker's own packages name no logger; without the second line it would start mute.
KAFKA_PACKAGES = (
    f"org.apache.kafka:kafka_{SCALA_BINARY}:{KAFKA}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)
