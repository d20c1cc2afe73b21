"""The example of the statistics page runs and shows what it says."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"


def test_the_example_runs() -> None:
    section = PAGE.read_text().split("\n## As a library\n")[1].split("\n## ")[0]
    example = section.split("```python\n")[1].split("```")[0]
    test = doctest.DocTestParser().get_doctest(example, {}, "As a library", str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(test, out=said.append)
    assert result.attempted > 10
    assert not result.failed, "".join(said)
