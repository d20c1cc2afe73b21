"""Untrusted text between lines that it cannot imitate.

Text by users and models is laid out as

    [<code> begin <name>]
    <text>
    [<code> end <name>]

where the code is a hash of all the texts, re-hashed until it occurs in none of them. So no text can
hold a marker line, the layout can be read back without doubt, and equal texts give equal prompts,
which a cache needs. Marking data this way against instructions hidden in it: Hines et al. 2024,
"Defending Against Indirect Prompt Injection Attacks With Spotlighting".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

_CODE_DIGITS = 24  # 96 bits: writing a text that holds its own code is out of reach
_SECTION = r"\[{code} begin (?P<name>[^\n\]]*)\]\n(?P<text>.*?)\n\[{code} end (?P=name)\]"


@dataclass(frozen=True, slots=True)
class Section:
    """One fenced text; `name` is ours: one line without `]`."""

    name: str
    text: str


def fence_code(sections: Sequence[Section]) -> str:
    """24 hexadecimal digits that follow from the sections and occur in none of their texts."""
    texts = [section.text for section in sections]
    code = _digest("".join(f"{len(text)}:{text}" for text in texts))
    while any(code in text for text in texts):
        code = _digest(code)
    return code


def fenced(sections: Sequence[Section], code: str) -> str:
    """The sections one after the other, each between its marker lines.

    >>> print(fenced([Section("response", "Paris.")], "c0de"))
    [c0de begin response]
    Paris.
    [c0de end response]
    """
    return "\n".join(
        f"[{code} begin {section.name}]\n{section.text}\n[{code} end {section.name}]"
        for section in sections
    )


def unfenced(text: str, code: str) -> list[Section]:
    """The sections in a text, in order: the inverse of `fenced`."""
    found = re.finditer(_SECTION.format(code=re.escape(code)), text, re.DOTALL)
    return [Section(match["name"], match["text"]) for match in found]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_CODE_DIGITS]
