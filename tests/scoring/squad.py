"""The official SQuAD 2.0 evaluation, as published, to compare with.

Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for SQuAD", evaluate-v2.0.
"""

from __future__ import annotations

import collections
import re
import string


def normalize_answer(s: str) -> str:
    regex = re.compile(r"\b(a|an|the)\b", re.UNICODE)
    exclude = set(string.punctuation)
    bare = "".join(ch for ch in s.lower() if ch not in exclude)
    return " ".join(re.sub(regex, " ", bare).split())


def compute_exact(a_gold: str, a_pred: str) -> int:
    return int(normalize_answer(a_gold) == normalize_answer(a_pred))


def compute_f1(a_gold: str, a_pred: str) -> float:
    gold_toks = normalize_answer(a_gold).split()
    pred_toks = normalize_answer(a_pred).split()
    common = collections.Counter(gold_toks) & collections.Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)
