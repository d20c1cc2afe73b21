"""What calls cost and how much may be spent on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from streaming_eval.settings.fields import InconsistentError, Path, Problem, Section, did_you_mean

Raw = Mapping[str, object]
_DECIMALS = 6
_KEEPING_NOTHING = ("off", "read_only")


def _few_decimals(money: float) -> float:
    exact = Decimal(repr(money)) * 10**_DECIMALS
    if exact != int(exact):
        raise ValueError("more decimals than a sum can be kept exact with")
    return money


Money = Annotated[
    float,
    Field(
        ge=0,
        le=1e9,
        json_schema_extra={"x-allowed": "an amount from 0 to 1e9, with at most 6 decimals"},
    ),
    AfterValidator(_few_decimals),
]
Cap = Annotated[
    float,
    Field(
        gt=0,
        le=1e9,
        json_schema_extra={
            "x-allowed": "an amount above 0, at most 1e9, with at most 6 decimals; or `tokens`"
        },
    ),
    AfterValidator(_few_decimals),
]


class PriceSettings(Section):
    """What one model costs, per 1,000,000 tokens; 0 for one of your own."""

    model: str = Field(min_length=1, description="what the endpoint calls the model")
    input: Money = Field(description="1,000,000 tokens of requests")
    cached_input: Money | None = Field(
        default=None,
        description="1,000,000 tokens of requests that the provider had in its own cache; as "
        "`input` when absent",
    )
    output: Money = Field(description="1,000,000 tokens of answers")


class PricesSettings(Section):
    """The price table; a model that is not in it has no cost, which is not a cost of 0."""

    currency: str = Field(
        default="USD",
        pattern=r"^[A-Z]{3}$",
        description="of all prices and budgets; a label, nothing is converted",
        json_schema_extra={"x-allowed": "three capital letters as in ISO 4217, such as USD or EUR"},
    )
    models: tuple[PriceSettings, ...] = Field(default=(), description="price of each model")


class BudgetSettings(Section):
    """So much per UTC hour or day, for one model or for all of the job's calls together."""

    money: Cap | None = Field(default=None, description="in the currency of `prices`")
    tokens: int | None = Field(
        default=None, gt=0, description="tokens of requests and answers together"
    )
    per: Literal["hour", "day"] = Field(
        description="the span, which begins with each hour or day of UTC"
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        description="what the endpoint calls the model; the whole job when absent",
    )

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if self.money is None and self.tokens is None:
            wrong, allowed = "one of money, tokens is required", "an amount of money, or tokens"
            raise InconsistentError(Problem((), wrong, allowed))
        if self.money is not None and self.tokens is not None:
            wrong = "excludes money, which is given too"
            raise InconsistentError(Problem(("tokens",), wrong, "one of money, tokens"))
        return self


class BudgetsSettings(Section):
    """What may be spent on model calls; answers from the cache are free."""

    at_cap: Literal["stop", "sample"] = Field(
        default="stop",
        description="`stop` waits for the next hour or day with whatever lacks a paid call; "
        "`sample` asks about fewer samples, so that the budget lasts, and weights their scores",
    )
    caps: tuple[BudgetSettings, ...] = Field(
        default=(), description="each holds by itself; none means no limit"
    )


def spending_contradictions(raw: Raw) -> Iterator[Problem]:
    """What budgets and prices say that the rest of the configuration contradicts.

    Works on plain values of any shape, as `references.contradictions` does.
    """
    yield from _repeated_prices(raw)
    yield from _repeated_caps(raw)
    caps = list(_sections(raw, "budgets", "caps"))
    cache = raw.get("cache")
    policy = cache.get("policy") if isinstance(cache, Mapping) else None
    if caps and policy in _KEEPING_NOTHING:
        wrong = f"{policy!r} keeps no answers, and budgets are counted from them"
        yield Problem(("cache", "policy"), wrong, "read_write, refresh or replay; or no `budgets`")
    yield from _costs_without_price(raw)
    for at, cap in caps:
        yield from _unknown_model(at, cap, _asked(raw))
        if cap.get("money") is not None:
            yield from _without_price(raw, at, cap)


def _sections(raw: Raw, *keys: str) -> Iterator[tuple[Path, Raw]]:
    """The sections of the list under a path of keys, each with its own path."""
    value: object = raw
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    for i, item in enumerate(value if isinstance(value, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield (*keys, i), item


def _asked(raw: Raw) -> list[str]:
    """The models that the configuration puts questions to, each once."""
    judges = (scorer.get("judge") for _, scorer in _sections(raw, "scorers"))
    asking = [
        *(candidate for _, candidate in _sections(raw, "candidates")),
        *(judge for judge in judges if isinstance(judge, Mapping)),
    ]
    models = (section.get("model") for section in asking)
    return list(dict.fromkeys(model for model in models if isinstance(model, str)))


def _repeated_prices(raw: Raw) -> Iterator[Problem]:
    seen: set[object] = set()
    for at, price in _sections(raw, "prices", "models"):
        model = price.get("model")
        if isinstance(model, str) and model in seen:
            yield Problem((*at, "model"), f"{model!r} has a price already", "each model once")
        seen.add(str(model))


def _repeated_caps(raw: Raw) -> Iterator[Problem]:
    seen: set[tuple[str, ...]] = set()
    for at, cap in _sections(raw, "budgets", "caps"):
        unit = "tokens" if cap.get("money") is None else "money"
        kind = (unit, str(cap.get("per")), str(cap.get("model")))
        if kind in seen:
            yield Problem(at, f"a second cap on {unit} per {kind[1]} of the same", "each cap once")
        seen.add(kind)


def _unknown_model(at: Path, cap: Raw, asked: list[str]) -> Iterator[Problem]:
    model = cap.get("model")
    if isinstance(model, str) and model not in asked:
        wrong = f"{model!r} is not a model that is asked{did_you_mean(model, asked)}"
        yield Problem((*at, "model"), wrong, ", ".join(asked) or "none, as none is asked")


def _costs_without_price(raw: Raw) -> Iterator[Problem]:
    """Candidates whose answers a scorer cannot tell the cost of."""
    if not any(scorer.get("kind") == "cost" for _, scorer in _sections(raw, "scorers")):
        return
    priced = _priced(raw)
    for at, candidate in _sections(raw, "candidates"):
        model = candidate.get("model")
        if isinstance(model, str) and model not in priced:
            yield Problem(
                (*at, "model"),
                f"{model!r} has no price, and a scorer of kind cost needs it",
                "a model under `prices.models` (with prices of 0 for one of your own)",
            )


def _priced(raw: Raw) -> set[object]:
    """The models that the price table names."""
    return {price.get("model") for _, price in _sections(raw, "prices", "models")}


def _without_price(raw: Raw, at: Path, cap: Raw) -> Iterator[Problem]:
    priced = _priced(raw)
    covered = [model for model in _asked(raw) if cap.get("model") in (None, model)]
    bare = [model for model in covered if model not in priced]
    if bare:
        names = ", ".join(map(repr, bare))
        yield Problem(
            (*at, "money"),
            f"covers {names}, which {'has' if len(bare) == 1 else 'have'} no price",
            "a price under `prices.models` (0 for a model of your own), or a cap in tokens",
        )
