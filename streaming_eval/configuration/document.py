"""YAML read strictly: one document, no duplicate keys, YAML 1.2 scalars, a line for each value.

PyYAML's own rules would read `no` as False, `1:30` as 90 and `2024-01-01` as a date, and would keep
the last of two equal keys.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from streaming_eval.settings.fields import Path as KeyPath

_TRUE_FALSE_NULL = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
_LONGEST_NUMBER = 64
_MERGE = "tag:yaml.org,2002:merge"
_KEY = re.compile(r"^[\s-]*([\w.-]+)\s*:", re.MULTILINE)
_QUOTE = "valid YAML; text that holds ': ' or ' #' stands in quotes"
_TABS = "indentation by spaces, not tabs"


class YamlError(ValueError):
    """The text is not one strict YAML document.

    Args:
        line: where, counted from 1.
        message: what is wrong, without the text itself.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file: its values and the line on which each begins.

    Attributes:
        values: mappings, lists, text, numbers, true, false and null only.
        lines: path of keys and list positions to line, counted from 1.
    """

    values: object
    lines: dict[KeyPath, int] = field(default_factory=dict)


def read_document(path: Path) -> Document:
    """The document in a file.

    Raises:
        OSError: the file cannot be read.
        YamlError: it is not strict YAML in UTF-8.
    """
    try:
        return parse_document(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise YamlError(line, "a byte that is not UTF-8; allowed: text in UTF-8") from None


def parse_document(text: str) -> Document:
    """The document in a text.

    >>> parse_document("country: no").values
    {'country': 'no'}
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, "a control character; allowed: printable text") from None
    except RecursionError:
        raise YamlError(1, "nested too deeply; allowed: a few levels") from None
    lines: dict[KeyPath, int] = {}
    return Document(None if node is None else _value(node, (), lines, ()), lines)


def scalar(text: str) -> object:
    """What an unquoted word means in YAML 1.2: a number, true, false, null, else the text itself.

    >>> scalar("0.05"), scalar("true"), scalar("yes"), scalar("5m")
    (0.05, True, 'yes', '5m')
    """
    if text.lower() in _TRUE_FALSE_NULL:
        return _TRUE_FALSE_NULL[text.lower()]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    number = float(text) if _FLOAT.fullmatch(text) else math.inf
    return number if math.isfinite(number) else text


class _Loader(yaml.SafeLoader):
    """Composes nodes without tags: a tag would ask for a type that no setting has."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it so
        if getattr(event, "tag", None) is not None:
            raise YamlError(event.start_mark.line + 1, "a tag (!); allowed: values without tags")
        return super().compose_node(parent, index)


def _value(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], above: tuple[yaml.Node, ...]
) -> object:
    lines.setdefault(path, _line(node))
    if node in above:
        raise YamlError(_line(node), "an alias that contains itself; allowed: a tree of values")
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, above)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), lines, above) for i, item in enumerate(node.value)]
    quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return str(node.value) if quoted else scalar(str(node.value))


def _mapping(
    node: yaml.MappingNode,
    path: KeyPath,
    lines: dict[KeyPath, int],
    above: tuple[yaml.Node, ...],
) -> dict[str, object]:
    values: dict[str, object] = {}
    first: dict[str, int] = {}
    for key, item in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlError(_line(key), "a key that is a list or mapping; allowed: text")
        if key.tag == _MERGE:
            raise YamlError(_line(key), "a merge key; allowed: aliases of whole values (*name)")
        name = str(key.value)
        if name in first:
            raise YamlError(_line(key), _duplicate((*path, name), first[name]))
        lines[*path, name] = first[name] = _line(key)
        values[name] = _value(item, (*path, name), lines, above)
    return values


def _duplicate(path: KeyPath, line: int) -> str:
    where = ".".join(str(part) for part in path)
    return f"{where}: the key is already given on line {line}; allowed: each key once"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    keys = _KEY.findall("\n".join(text.splitlines()[:line]))
    near = f" near `{keys[-1]}`" if keys else ""
    problem = error.problem or "unreadable"
    if error.context and error.context_mark:
        problem += f" ({error.context} that begins on line {error.context_mark.line + 1})"
    allowed = _TABS if "'\\t'" in problem else _QUOTE
    return YamlError(line, f"not valid YAML{near}: {problem}; allowed: {allowed}")
