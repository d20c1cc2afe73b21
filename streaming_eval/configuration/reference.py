"""The reference of every setting, in Markdown, made from the settings themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator

from streaming_eval.configuration.schema import JsonSchema, allowed, resolved, settings_schema

_HEAD = """# Configuration

Made from the settings' own descriptions by
`streaming-eval schema print settings --output markdown`; a test fails when this page is not
current. A commented example is
[`examples/streaming-eval.yaml`](../examples/streaming-eval.yaml), the JSON Schema for editors
[`configuration.schema.json`](configuration.schema.json).

One YAML file. Unknown keys, duplicate keys and tags are errors, and words mean what YAML 1.2 says
(`no` is text). `streaming-eval validate` reports every error at once, with its line.

- **Precedence**: flags (`--set monitor.alpha=0.01`) over environment
  (`STREAMING_EVAL_MONITOR__ALPHA=0.01`) over file over defaults. `__` goes one level down; names
  are matched whatever their case, other characters as `_`
  (`STREAMING_EVAL_ENDPOINTS__MY_VLLM__BASE_URL` sets the endpoint `my-vLLM`); a number is a place
  in a list of the file; lists and mappings are written as JSON or YAML. A variable without `__`
  that names no setting is passed over, since Kubernetes makes some for a service called
  `streaming-eval`.
- **Variables of other tools** fill only what nothing above gives: `KAFKA_BOOTSTRAP_SERVERS` the
  brokers, `OPENAI_BASE_URL` the `base_url` of endpoints without one. `OPENAI_API_KEY` is used by
  endpoints without a key setting whose `base_url` is `OPENAI_BASE_URL` (or OpenAI's own address
  where that is not set), and sent nowhere else.
- **Secrets** never stand in the file: name a variable or a file (`api_key_env`, `api_key_file`;
  `env:NAME` or `file:PATH` under `kafka.security`). `streaming-eval validate --strict` and `run`
  check that they are there.
- **Durations** are written as in Prometheus: `30s`, `5m`, `1h30m`, `24h`.

`N` stands for a place in a list, `NAME` for a name of your choice.
"""


def settings_markdown() -> str:
    """The whole page."""
    pages = {"": settings_schema(), **dict(_inner(settings_schema(), ""))}
    first = {id(schema): path for path, schema in reversed(pages.items())}
    parts = [_HEAD]
    for path, schema in pages.items():
        if first[id(schema)] == path:
            parts.append(_page(path, schema, first))
    return "\n".join(parts)


def _inner(schema: JsonSchema, path: str) -> Iterator[tuple[str, JsonSchema]]:
    """Every section below one, with its path, parents before children."""
    for name, field in schema["properties"].items():
        where, section = _section(field, f"{path}.{name}".lstrip("."))
        if section is not None:
            yield where, section
            yield from _inner(section, where)


def _section(field: JsonSchema, path: str) -> tuple[str, JsonSchema | None]:
    """The section that a field is, or is a collection of; None where it is a value."""
    schema = resolved(field)
    if "items" in schema:
        path, schema = f"{path}.N", resolved(schema["items"])
    elif "patternProperties" in schema:
        path, schema = f"{path}.NAME", resolved(next(iter(schema["patternProperties"].values())))
    return path, schema if "properties" in schema else None


def _page(path: str, schema: JsonSchema, first: dict[int, str]) -> str:
    title = f"\n## `{path}`\n\n{schema['description']}" if path else "\n## The file"
    rows = ["| key | allowed | default | meaning |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        rows.append(_row(name, field, path, schema, first))
    return f"{title}\n\n" + "\n".join(rows) + "\n"


def _row(name: str, field: JsonSchema, path: str, schema: JsonSchema, first: dict[int, str]) -> str:
    where, section = _section(field, f"{path}.{name}".lstrip("."))
    may_be = allowed(field)
    meaning = field.get("description", "")
    if section is not None:
        where = first[id(section)]
        kind = "list of sections" if where.endswith(".N") else "section"
        may_be = f"{'sections by name' if where.endswith('.NAME') else kind}, see `{where}`"
        meaning = meaning or section["description"].split("\n")[0]
    default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
    if name in schema.get("required", ()):
        default = "required"
    return "| " + " | ".join(_cell(text) for text in (f"`{name}`", may_be, default, meaning)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
