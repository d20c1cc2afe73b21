"""The whole configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from streaming_eval.settings.batching import BatchSettings
from streaming_eval.settings.caching import CacheSettings
from streaming_eval.settings.endpoints import EndpointSettings
from streaming_eval.settings.fields import InconsistentError, Name, Section
from streaming_eval.settings.models import CandidateSettings
from streaming_eval.settings.monitoring import ComparisonSettings, MonitorSettings
from streaming_eval.settings.references import contradictions
from streaming_eval.settings.runtime import ExporterSettings, SparkSettings
from streaming_eval.settings.scorers import ScorerSettings
from streaming_eval.settings.sources import KafkaSettings, LimitSettings, StorageSettings
from streaming_eval.settings.spending import BudgetsSettings, PricesSettings


class Settings(Section):
    """The whole configuration."""

    version: Literal[1] = Field(description="version of this format")
    job: Name = Field(
        default="streaming-eval", description="name of the job, of its queries and commits"
    )
    kafka: KafkaSettings = KafkaSettings()
    storage: StorageSettings = StorageSettings()
    limits: LimitSettings = LimitSettings()
    production_models: tuple[Name, ...] = Field(
        min_length=1,
        description="production model names that get series; others are `__other__`",
    )
    endpoints: Mapping[Name, EndpointSettings] = Field(default={}, description="model APIs by name")
    candidates: tuple[CandidateSettings, ...] = Field(
        default=(), description="models that answer every sample beside production"
    )
    scorers: tuple[ScorerSettings, ...] = Field(min_length=1, description="what is measured")
    segments: Mapping[Name, tuple[str, ...]] = Field(
        default={}, description="segment name to the values that get series; others are `__other__`"
    )
    comparisons: tuple[ComparisonSettings, ...] = Field(
        default=(), description="candidates against another model on the same samples"
    )
    batches: BatchSettings = BatchSettings()
    cache: CacheSettings = CacheSettings()
    prices: PricesSettings = PricesSettings()
    budgets: BudgetsSettings = BudgetsSettings()
    monitor: MonitorSettings = MonitorSettings()
    exporter: ExporterSettings = ExporterSettings()
    spark: SparkSettings = SparkSettings()

    @model_validator(mode="after")
    def _names_refer_to_something(self) -> Self:
        if problems := contradictions(self.model_dump(mode="json")):
            raise InconsistentError(*problems)
        return self
