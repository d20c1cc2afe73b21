"""Names in one part of a configuration that must exist, or be unique, in another.

Works on plain values of any shape, so that it can be asked even where other parts are wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import get_args

from streaming_eval.records import ALL_SEGMENTS, OTHER, SEGMENT_MIX
from streaming_eval.settings.anchors import anchors_label
from streaming_eval.settings.apis import CONVERSES, EMBEDS, WRITES, Api
from streaming_eval.settings.endpoints import EndpointSettings
from streaming_eval.settings.fields import Path, Problem, did_you_mean
from streaming_eval.settings.spending import spending_contradictions

PRODUCTION = "production"
Raw = Mapping[str, object]


def contradictions(raw: Raw) -> list[Problem]:
    """Every name that is used twice, refers to nothing or is reserved."""
    return [
        *_repeated_names(raw),
        *_unknown_endpoints(raw),
        *_unsuitable_endpoints(raw),
        *_unknown_comparisons(raw),
        *_reserved_names(raw),
        *spending_contradictions(raw),
    ]


def _mapping(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(raw: Raw, key: str) -> list[object]:
    value = raw.get(key)
    return list(value) if isinstance(value, list | tuple) else []


def _sections(raw: Raw, key: str) -> list[tuple[Path, Raw]]:
    listed = enumerate(_list(raw, key))
    return [((key, i), item) for i, item in listed if isinstance(item, Mapping)]


def _candidates(raw: Raw) -> list[str]:
    return [str(item["name"]) for _, item in _sections(raw, "candidates") if "name" in item]


def _repeated_names(raw: Raw) -> Iterator[Problem]:
    models: list[tuple[Path, object]] = [
        (("production_models", i), name) for i, name in enumerate(_list(raw, "production_models"))
    ]
    models += [((*at, "name"), item.get("name")) for at, item in _sections(raw, "candidates")]
    scorers: list[tuple[Path, object]] = [
        ((*at, "name" if item.get("name") else "kind"), item.get("name") or item.get("kind"))
        for at, item in _sections(raw, "scorers")
    ]
    scorers += _anchored(raw)
    yield from _repeated(models, "production models and candidates")
    yield from _repeated(scorers, "scorers")


def _anchored(raw: Raw) -> Iterator[tuple[Path, object]]:
    """The scorers that judges with anchors are beside those that are listed."""
    for at, item in _sections(raw, "scorers"):
        if _mapping(item, "judge").get("anchors") is not None:
            name = item.get("name") or item.get("kind")
            yield (*at, "judge", "anchors"), anchors_label(str(name))


def _repeated(names: list[tuple[Path, object]], among: str) -> Iterator[Problem]:
    seen: set[object] = {None}
    for path, name in names:
        if isinstance(name, str) and name in seen:
            wrong = f"{name!r} is the name of two {among}"
            yield Problem(path, wrong, "a `name` that no other has")
        elif isinstance(name, str):
            seen.add(name)


def _unknown(path: Path, item: Raw, what: str, known: Collection[str]) -> Iterator[Problem]:
    name = item.get(str(path[-1]))
    if isinstance(name, str) and name not in known:
        wrong = f"{name!r} is not {what}{did_you_mean(name, known)}"
        yield Problem(path, wrong, ", ".join(dict.fromkeys(known)) or "none, as there are none")


def _models(raw: Raw) -> Iterator[tuple[Path, Raw, Collection[str]]]:
    """Everything that asks an endpoint: where it stands, what it says, which APIs can answer it."""
    for at, item in _sections(raw, "candidates"):
        yield at, item, WRITES if item.get("system_prompt") is None else CONVERSES
    for at, item in _sections(raw, "scorers"):
        yield (*at, "judge"), _mapping(item, "judge"), CONVERSES
        yield (*at, "embedding"), _mapping(item, "embedding"), EMBEDS


def _unknown_endpoints(raw: Raw) -> Iterator[Problem]:
    for at, model, _ in _models(raw):
        yield from _unknown((*at, "endpoint"), model, "an endpoint", _mapping(raw, "endpoints"))


def _unsuitable_endpoints(raw: Raw) -> Iterator[Problem]:
    """Endpoints whose API cannot give what is asked of it."""
    spoken = {name: _api(endpoint) for name, endpoint in _mapping(raw, "endpoints").items()}
    for at, model, apis in _models(raw):
        name = model.get("endpoint")
        api = spoken.get(name) if isinstance(name, str) else None
        if api in get_args(Api) and api not in apis:
            wrong = f"{name!r} speaks {api}, which cannot answer this"
            suitable = [other for other, its in spoken.items() if its in apis]
            having = f" (here: {', '.join(suitable)})" if suitable else ""
            yield Problem((*at, "endpoint"), wrong, f"an endpoint of {' or '.join(apis)}{having}")


def _api(endpoint: object) -> object:
    default = EndpointSettings.model_fields["api"].default
    return endpoint.get("api", default) if isinstance(endpoint, Mapping) else None


def _unknown_comparisons(raw: Raw) -> Iterator[Problem]:
    names = _candidates(raw)
    pairs: set[tuple[object, object]] = set()
    for at, item in _sections(raw, "comparisons"):
        candidate, against = item.get("candidate"), item.get("against")
        others = [name for name in dict.fromkeys([*names, PRODUCTION]) if name != candidate]
        yield from _unknown((*at, "candidate"), item, "a candidate", names)
        yield from _unknown((*at, "against"), item, "another model", others)
        if isinstance(candidate, str) and (candidate, against) in pairs:
            yield Problem(
                at, f"{candidate!r} against {against!r} is listed twice", "each pair once"
            )
        pairs.add((str(candidate), str(against)))


def _reserved_names(raw: Raw) -> Iterator[Problem]:
    for at, item in _sections(raw, "candidates"):
        if item.get("name") == PRODUCTION:
            yield Problem((*at, "name"), f"{PRODUCTION!r} is reserved", "any other name")
    for at, item in _sections(raw, "scorers"):
        if item.get("name") == SEGMENT_MIX:
            yield Problem((*at, "name"), f"{SEGMENT_MIX!r} is reserved", "any other name")
    for name, values in _mapping(raw, "segments").items():
        known: set[object] = {ALL_SEGMENTS, OTHER}
        for i, value in enumerate(values if isinstance(values, list | tuple) else ()):
            if isinstance(value, str) and value in known:
                wrong = f"{value!r} is reserved or listed twice"
                yield Problem(("segments", name, i), wrong, "each value once, as text")
            known.add(str(value))
