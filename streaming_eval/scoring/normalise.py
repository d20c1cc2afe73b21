"""Text as the SQuAD evaluation compares it."""

from __future__ import annotations

import re
import string
from functools import lru_cache

_ARTICLES = frozenset({"a", "an", "the"})
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_DROP = str.maketrans("", "", string.punctuation)
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")


def fold(text: str) -> str:
    """Lower case, without ASCII punctuation, words one space apart.

    >>> fold("The  U.S.A.")
    'the usa'
    """
    lower = text.lower()
    # `translate` is the faster of the two for ASCII and by far the slower for anything else.
    bare = lower.translate(_DROP) if lower.isascii() else _PUNCTUATION.sub("", lower)
    return " ".join(bare.split())


def normalise(text: str) -> str:
    """`fold` without the words a, an and the.

    Does exactly what `normalize_answer` of the official script does: Rajpurkar et al. 2016, "SQuAD:
    100,000+ Questions for Machine Comprehension of Text".

    >>> normalise("The  Paris.")
    'paris'
    """
    folded = fold(text)
    if folded.isascii() and folded.isprintable():  # then words end at spaces only
        return " ".join([word for word in folded.split(" ") if word not in _ARTICLES])
    return " ".join(_ARTICLE.sub(" ", folded).split())


@lru_cache(maxsize=4)
def normalise_response(text: str) -> str:
    """`normalise`, remembered, because several scorers read one response in a row."""
    return normalise(text)


@lru_cache(maxsize=8_192)
def normalise_target(text: str) -> str:
    """`normalise`, remembered: a target meets every model's response and every scorer."""
    return normalise(text)
