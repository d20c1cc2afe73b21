from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.scoring import fence
from streaming_eval.scoring.fence import Section, fence_code, fenced, unfenced

_TEXTS = st.text(max_size=40) | st.sampled_from(
    ["", "\n", "\r", "]\n[", "[x begin a]\nb\n[x end a]", "\x85\u2028", "\ud800", "a" * 500]
)
_SECTIONS = st.lists(
    st.builds(Section, st.sampled_from(["response", "target 1", "message 1 user"]), _TEXTS),
    max_size=5,
)


@given(_SECTIONS, _TEXTS, _TEXTS)
def test_what_is_fenced_is_read_back_exactly(
    sections: list[Section], before: str, after: str
) -> None:
    code = fence_code([*sections, Section("", before), Section("", after)])
    assert unfenced(f"{before}\n{fenced(sections, code)}\n{after}", code) == sections


@given(_SECTIONS)
def test_equal_texts_have_equal_codes_which_no_text_holds(sections: list[Section]) -> None:
    code = fence_code(sections)
    assert code == fence_code(list(sections))
    assert not [section for section in sections if code in section.text]


def test_other_texts_have_another_code_also_where_only_the_borders_differ() -> None:
    codes = [
        fence_code([Section("a", left), Section("b", right)])
        for left, right in (("ab", "c"), ("a", "bc"), ("abc", ""), ("ab", "d"))
    ]
    assert len(set(codes)) == 4


def test_a_text_that_guessed_its_code_gets_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With codes of two digits guessing is easy."""
    monkeypatch.setattr(fence, "_CODE_DIGITS", 2)
    texts = [f"{i:x} {i:x}" for i in range(10_000)]
    guessed = [text for text in texts if fence._digest(f"{len(text)}:{text}") in text]
    assert guessed
    for text in guessed:
        assert fence_code([Section("response", text)]) not in text
