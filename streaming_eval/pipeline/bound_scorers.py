"""Scorers as configured, with the models they ask, and the versions that follow from both."""

from __future__ import annotations

from streaming_eval.adapters.centroid_file import Centroids, Origin, read_centroids
from streaming_eval.errors import PermanentError, SettingsError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.evaluate import BoundScorer, CellFinder, Embedder, Judge, ModelCall
from streaming_eval.scoring import ScorerDefinition, define, evaluation_version
from streaming_eval.scoring.cost import Priced
from streaming_eval.scoring.embedding_cell import Cells, EmbeddedText
from streaming_eval.settings import (
    EmbeddingSettings,
    ModelSettings,
    RemoteModelSettings,
    ScorerKind,
    ScorerSettings,
    Settings,
)
from streaming_eval.stats.levels import Scale


def bound_scorer(settings: Settings, scorer: ScorerSettings) -> BoundScorer:
    """A scorer with the model it asks and the evaluation version that follows from both.

    Raises:
        SettingsError: a model's parameters or a file of centroids cannot be used.
    """
    if scorer.embedding is not None:
        return _embedding(settings, scorer, scorer.embedding)
    if scorer.judge is None:
        definition = define(
            scorer.kind.value,
            scorer.label,
            cap_ms=scorer.cap_ms,
            limit_ms=scorer.limit_ms,
            logarithmic=scorer.logarithmic,
            priced=_priced(settings, scorer.cap_cost),
        )
        return BoundScorer(definition, evaluation_version(definition))
    graded = scorer.judge
    definition = define(scorer.kind.value, scorer.label, low=graded.low, high=graded.high)
    call = model_call(settings, graded, scorer.label)
    judge = Judge(call, graded.rubric, graded.low, graded.high)
    asked = call.request(())
    return BoundScorer(definition, evaluation_version(definition, judge.rubric, asked), judge)


def model_call(settings: Settings, model: RemoteModelSettings, name: str) -> ModelCall:
    """How a model is asked, under a name of ours.

    Raises:
        SettingsError: its parameters are not JSON.
    """
    endpoint = settings.endpoints[model.endpoint]
    call = ModelCall(
        name=name,
        endpoint=model.endpoint,
        base_url=endpoint.base_url,
        api=endpoint.api,
        model=model.model,
        revision=model.revision,
        system_prompt=model.system_prompt if isinstance(model, ModelSettings) else None,
        parameters=dict(model.parameters),
    )
    try:
        cache_key(call.request(()))
    except PermanentError as error:
        raise SettingsError(f"parameters of {name}: {error}") from None
    return call


def origin_of(scorer: ScorerSettings, embedding: EmbeddingSettings) -> Origin:
    """What the vectors of a scorer of cells are of."""
    return Origin(embedding.model, embedding.revision, dict(embedding.parameters), str(scorer.text))


def scale_of(definition: ScorerDefinition) -> Scale:
    """The scale of a scorer's own values; without a direction, more counts as better."""
    return Scale(
        definition.low,
        definition.high,
        definition.higher_is_better is not False,
        definition.levels,
        definition.logarithmic,
        definition.least,
    )


def _priced(settings: Settings, cap: float) -> Priced:
    """The prices of the models whose answers are scored; others may change unnoticed."""
    scored = {*settings.production_models, *(c.model for c in settings.candidates)}
    prices = {p.model: (p.input, p.output) for p in settings.prices.models if p.model in scored}
    return Priced(cap, settings.prices.currency, prices)


def _embedding(
    settings: Settings, scorer: ScorerSettings, embedding: EmbeddingSettings
) -> BoundScorer:
    call = model_call(settings, embedding, scorer.label)
    text = EmbeddedText(scorer.text)
    asker: Embedder | CellFinder = Embedder(call)
    cells: Cells | None = None
    if scorer.kind is ScorerKind.EMBEDDING_CELL:
        cells, asker = Cells(text), CellFinder(call, text)
        if (centroids := _centroids(scorer, embedding)) is not None:
            cells = Cells(text, centroids.cells.cells, centroids.digest)
            asker = CellFinder(call, text, centroids.cells)
    definition = define(scorer.kind.value, scorer.label, cells=cells)
    return BoundScorer(definition, evaluation_version(definition, asked=call.request(())), asker)


def _centroids(scorer: ScorerSettings, embedding: EmbeddingSettings) -> Centroids | None:
    if scorer.centroids is None:
        return None
    try:
        return read_centroids(scorer.centroids, origin_of(scorer, embedding))
    except SettingsError as error:
        raise SettingsError(f"scorers: centroids of {scorer.label}: {error}") from None
