"""What an operator may set, checked at the door: one YAML file, environment above it.

Every value has its default here and nowhere else. Durations are written as in Prometheus (`30s`,
`5m`, `24h`). Secrets never stand in the file: they are named (`api_key_env`, `api_key_file`).
"""

from streaming_eval.settings.batching import BatchSettings
from streaming_eval.settings.caching import CacheSettings
from streaming_eval.settings.endpoints import (
    CircuitBreakerSettings,
    EndpointSettings,
    HedgingSettings,
)
from streaming_eval.settings.fields import (
    DurationMs,
    InconsistentError,
    Name,
    Problem,
    Section,
    duration_ms,
    duration_text,
)
from streaming_eval.settings.models import (
    CandidateSettings,
    ModelSettings,
    RemoteModelSettings,
)
from streaming_eval.settings.monitoring import (
    BaselineSettings,
    ComparisonSettings,
    FalseAlarmSettings,
    MonitorSettings,
)
from streaming_eval.settings.root import Settings
from streaming_eval.settings.runtime import ExporterSettings, SparkSettings
from streaming_eval.settings.scorers import (
    EmbeddingSettings,
    JudgeSettings,
    ScorerKind,
    ScorerSettings,
)
from streaming_eval.settings.sources import KafkaSettings, LimitSettings, StorageSettings

__all__ = [
    "BaselineSettings",
    "BatchSettings",
    "CacheSettings",
    "CandidateSettings",
    "CircuitBreakerSettings",
    "ComparisonSettings",
    "DurationMs",
    "EmbeddingSettings",
    "EndpointSettings",
    "ExporterSettings",
    "FalseAlarmSettings",
    "HedgingSettings",
    "InconsistentError",
    "JudgeSettings",
    "KafkaSettings",
    "LimitSettings",
    "ModelSettings",
    "MonitorSettings",
    "Name",
    "Problem",
    "RemoteModelSettings",
    "ScorerKind",
    "ScorerSettings",
    "Section",
    "Settings",
    "SparkSettings",
    "StorageSettings",
    "duration_ms",
    "duration_text",
]
