"""What a scorer is: its declared range, and the version under which its scores are comparable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import sha256

from streaming_eval.records import Request, Response, Sample, Score

CONTINUUM_LEVELS = 65
LOGARITHMIC_LEVELS = 129
BINARY_LEVELS = 2
QUANTITIES = frozenset({"latency_ms", "cost", "prompt_chars", "response_chars"})
"""Kinds whose quantiles say more than their mean."""


@dataclass(frozen=True, slots=True)
class ScorerDefinition:
    """Everything about a scorer that gives its scores their meaning.

    Attributes:
        name: the operator's name for it; column and metric label.
        kind: which scorer it is, a key of `SCORERS`, `embedding_similarity` or `judge`.
        low: smallest value it can give.
        high: largest value it can give.
        higher_is_better: direction; None where no value is better than another, so that a series
            can drift, but not become worse.
        levels: how many values it is counted on: 2 for pass/fail, one per grade for a judge, 65
            for a continuum, 129 where that is logarithmic.
        needs_target: whether samples without a target are left out.
        parameters: JSON values that change what it says.
        code_revision: raised by hand when the code gives other scores than before.
        logarithmic: whether its values are told apart by their ratio, not by their difference.
        categories: whether its values are numbers of categories, which have no order and no mean.
        of_prompt: whether it tells of the prompt alone, which is the same whoever answers; it is
            scored once a sample, with production's response.
        least: unit of a logarithmic scale: values much below it are not told apart.
    """

    name: str
    kind: str
    low: float
    high: float
    higher_is_better: bool | None
    levels: int
    needs_target: bool
    parameters: Mapping[str, object] = field(default_factory=dict)
    code_revision: int = 1
    logarithmic: bool = False
    categories: bool = False
    of_prompt: bool = False
    least: float = 1.0

    @property
    def comparable(self) -> bool:
        """Whether two models' scores of one sample have a difference that says something."""
        return not (self.categories or self.of_prompt)

    @property
    def is_quantity(self) -> bool:
        """Whether its quantiles are shown, and its largest values watched apart."""
        return self.kind in QUANTITIES


# Said in a definition only where they differ: versions of all other scorers are older than these.
_UNSAID: Mapping[str, object] = {
    "logarithmic": False,
    "categories": False,
    "of_prompt": False,
    "least": 1.0,
}


def on_unit_range(name: str, kind: str, levels: int, code_revision: int) -> ScorerDefinition:
    """The definition of a scorer that compares with targets and gives 0.0 (bad) to 1.0 (good)."""
    return ScorerDefinition(name, kind, 0.0, 1.0, True, levels, True, code_revision=code_revision)


Scorer = Callable[[Sample, Response, ScorerDefinition], Score | None]


def definition_json(
    definition: ScorerDefinition, rubric: str | None = None, asked: Request | None = None
) -> str:
    """The whole definition as canonical JSON: sorted keys, no white space, exact text.

    Args:
        definition: the scorer.
        rubric: a judge's rubric.
        asked: a judge's request without the messages that depend on the sample.
    """
    return json.dumps(
        {"scorer": definition, "rubric": rubric, "request": asked},
        default=_plain,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def evaluation_version(
    definition: ScorerDefinition, rubric: str | None = None, asked: Request | None = None
) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of `definition_json`.

    Scores of different versions are never compared.
    """
    text = definition_json(definition, rubric, asked)
    return sha256(text.encode()).hexdigest()[:12]


def _plain(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value):
        held = {part.name: getattr(value, part.name) for part in fields(value)}
        return {n: of for n, of in held.items() if n not in _UNSAID or of != _UNSAID[n]}
    raise TypeError(f"{type(value).__name__} has no place in a definition")
