"""The figures of the statistics page can be drawn anew, and the page shows every one of them."""

import re
from pathlib import Path

import pytest

from benchmarks.plots.figures import draw_all

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "statistics.md"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_all(tmp_path_factory.mktemp("plots"), quick=True)


def test_the_page_shows_every_figure_and_no_other(drawn: list[Path]) -> None:
    shown = re.findall(r"!\[[^\]]+\]\(plots/([\w-]+\.svg)\)", PAGE.read_text())
    assert sorted(shown) == sorted(path.name for path in drawn)
    assert sorted(path.name for path in PAGE.with_name("plots").iterdir()) == sorted(shown)


def test_the_same_figures_are_the_same_files(drawn: list[Path], tmp_path: Path) -> None:
    again = draw_all(tmp_path, quick=True)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in drawn]


def test_figures_name_no_date_and_stand_on_a_light_ground(drawn: list[Path]) -> None:
    for path in drawn:
        text = path.read_text()
        assert "<dc:date>" not in text
        assert "#ffffff" in text
