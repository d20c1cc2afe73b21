"""What the pages say of columns, links, commands and alerts is what there is."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from streaming_eval.adapters.schemas import SCHEMAS
from streaming_eval.cli import app

ROOT = Path(__file__).parents[1]
NOT_OURS = {"streaming-eval-state", "build", "dist"}
SPARK_TYPES = {
    "string": "string",
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "bool": "boolean",
    "binary": "binary",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamp",
    "list<element: string>": "array<string>",
    "list<element: int64>": "array<bigint>",
    "list<element: struct<p: double, value: double, lower: double, upper: double>>": "array<struct<"
    "p: double, value: double, lower: double, upper: double>>",
    "map<string, string>": "map<string,string>",
    "map<string, double>": "map<string,double>",
}
MACHINE = re.compile(r"(?<![\w.~-])/(?:home|root|work|tmp|Users|mnt|srv|var|opt)/")
REGISTRY = re.compile(
    r"pypi\.|pythonhosted|maven\.(?:org|apache)|maven2|artifactory|nexus|registry\.|docker\.io"
)


def pages() -> list[Path]:
    """Every page of the project, wherever it lies."""
    folders = [p for p in ROOT.iterdir() if p.is_dir() and p.name not in NOT_OURS]
    ours = [folder for folder in folders if not folder.name.startswith(".")]
    found = [*ROOT.glob("*.md"), *(page for folder in ours for page in folder.rglob("*.md"))]
    return sorted(found)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", pages(), ids=name)


def prose(text: str) -> str:
    """The text without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> Iterator[str]:
    """Every inline code and every line of a code block, without what starts the program."""
    blocks = re.findall(r"^```.*?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`]+)`", prose(text).replace("``", ""))
    for code in [*lines, *(" ".join(span.split()) for span in inline)]:
        for command in code.split("#")[0].split("&&"):
            yield command.strip().removeprefix(".venv/bin/")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def spark_type(kind: pa.DataType) -> str:
    return SPARK_TYPES[str(kind).replace("list<item:", "list<element:")]


@pytest.mark.parametrize("table", SCHEMAS)
def test_the_page_of_tables_names_every_column_with_its_type_and_no_other(table: str) -> None:
    text = section((ROOT / "docs" / "tables.md").read_text(), f"`{table}`")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| .+ \| .*\|$", text, re.MULTILINE)
    assert rows == [(field.name, spark_type(field.type)) for field in SCHEMAS[table]]


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text())):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


@every_page
def test_verbs_and_flags_exist(page: Path) -> None:
    for command in commands(page.read_text()):
        program, *words = command.split() or [""]
        if program == "streaming-eval":
            verb = [*takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, words)]
            shown = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200"})
            assert shown.exit_code == 0, command
            flags = {word for word in words if word.startswith("-")}
            assert flags <= {*re.findall(r"(?<!\S)--?[a-z][a-z-]*", shown.stdout)}, command


@every_page
def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in commands(page.read_text()):
        words = re.match(r"make((?: [a-z-]+\b(?!=))+)", command)
        assert not words or set(words[1].split()) <= set(targets), command


@every_page
def test_no_page_names_a_machine_or_a_registry(page: Path) -> None:
    text = page.read_text()
    assert not MACHINE.search(text)
    assert not REGISTRY.search(text)


def test_the_readme_leads_from_every_alert_to_its_runbook() -> None:
    readme = (ROOT / "README.md").read_text()
    for path in sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.rules.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                assert f"](docs/runbooks/{rule['alert']}.md)" in readme
