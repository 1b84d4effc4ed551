"""What people wrote in the documentation about figures, errors and variables is what the code says."""

import ast
import inspect
import re
from functools import cache

import pytest

from dagster_project import exit_codes
from dagster_project.cli import main as command_line
from dagster_project.environment import Environment
from documents import blocks
from house import PACKAGES, ROOT, Project
from minemap_assets import errors
from minemap_assets.chips.config import ChipsConfig
from minemap_assets.chips.split import split_groups
from minemap_assets.geo.grid import at_resolution, square_grid
from minemap_assets.imagery.config import DEFAULT_BANDS
from minemap_assets.imagery.costs import CostModel, FetchRequest
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.costs import EarthEngineCosts
from minemap_assets.imagery.sources.stac.config import StacConfig
from minemap_assets.imagery.sources.stac.costs import StacCosts
from minemap_assets.segmentation.verdict import FEWEST_GROUPS, USABLE_IOU, Grade

TROUBLE = "docs/troubleshooting.md"
PIECES = re.compile(r"'?\b[A-Z]{3,}\b'?|[(),;]")
"""What parts an example: words in capitals stand for what differs (so does an acronym, and then less is compared), and
the parts of a sentence may come from several places.
"""

FEWEST_LETTERS = 8
"""A shorter piece of a sentence proves nothing."""

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, errors.MinemapError)]


def page(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def section(title: str) -> str:
    """A class's part of the page on troubles."""
    return page(TROUBLE).split(f"### {title}\n")[1].split("\n### ")[0].split("\n## ")[0]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_is_explained_with_the_exit_code_it_gives(
    kind: type[errors.MinemapError], capsys: pytest.CaptureFixture[str]
) -> None:
    code = command_line._explain(kind("something is wrong"))
    assert "something is wrong" in capsys.readouterr().err
    assert f"Exit code {code}." in section(kind.__name__)


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    codes = set(re.findall(r"^\| (\d+) \|", page(TROUBLE), flags=re.MULTILINE))
    known = {code for name, code in vars(exit_codes).items() if name.isupper()}
    assert codes == {"0", *map(str, known)}


@cache
def sentences() -> str:
    """Every text in the packages, one after the other."""
    project = Project()
    trees = [tree for package in PACKAGES for _, tree in project.trees(package)]
    texts = (
        n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )
    return "\n".join(" ".join(text.split()) for text in texts)


def test_examples_of_errors_are_sentences_that_the_code_says() -> None:
    said, examples = sentences(), list(blocks(TROUBLE, "text"))
    assert len(examples) >= len(CLASSES) - 1
    for example in examples:
        pieces = [piece.strip() for piece in PIECES.split(" ".join(example.split()))]
        telling = [piece for piece in pieces if len(piece) >= FEWEST_LETTERS]
        assert telling, example
        assert not [piece for piece in telling if piece not in said], example


def test_an_example_that_nothing_says_is_found() -> None:
    assert "the moon is not available today" not in sentences()


def test_held_out_places_are_those_that_the_split_gives() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|$", page("docs/labels.md"), flags=re.MULTILINE)
    assert len(rows) >= 8
    chips = ChipsConfig()
    for places, least, most in (map(int, row) for row in rows):
        groups = {f"g{number}": 1 for number in range(places)}
        splits = [split_groups(groups, seed, chips.validation_share, chips.test_share) for seed in range(20)]
        held_out = [list(split.values()).count("test") for split in splits]
        assert (min(held_out), max(held_out)) == (least, most), places


def test_the_verdicts_are_those_that_a_model_can_get() -> None:
    text = page("docs/labels.md")
    assert all(f"| *{grade.value}* |" in text for grade in Grade)
    assert f"fewer than {FEWEST_GROUPS} places" in text
    assert f"an IoU of at least {USABLE_IOU}" in text


@pytest.mark.parametrize(
    ("source", "costs"),
    [
        ("stac", StacCosts(StacConfig(), "sentinel-2-l2a")),
        ("earth-engine", EarthEngineCosts(EarthEngineConfig(), "sentinel-2-l2a")),
    ],
)
def test_what_is_assumed_to_be_fetched_is_what_the_plan_assumes(source: str, costs: CostModel) -> None:
    grid = at_resolution(square_grid(500_000.0, 500_000.0, 512, 32630), 10.0)
    season = SeasonRule().season(2018)
    cost = costs.cost(FetchRequest("sentinel-2-l2a", season, DEFAULT_BANDS["sentinel-2-l2a"], (grid,)))
    row = page("docs/sizing.md").split(f"| `{source}` | ")[1].splitlines()[0].split(" | ")
    assert int(row[1]) == pytest.approx(cost.requests, rel=0.02)
    assert float(row[2].removesuffix(" MB |")) == pytest.approx(cost.bytes_read / 1e6, rel=0.1)


def test_files_that_the_architecture_names_are_there() -> None:
    named = set(re.findall(r"`(\w+/[\w/]+\.py)`", page("docs/architecture.md")))
    assert len(named) > 40
    assert not [
        name for name in sorted(named) if not any((ROOT / top / name).exists() for top in ("", "minemap_assets"))
    ]


def test_every_variable_of_the_environment_is_named() -> None:
    text = page("docs/how-to/deploy.md")
    assert not [name for name in Environment.model_fields if f"| `MINEMAP_{name.upper()}` |" not in text]
    assert f"| `{command_line.DEBUG}` |" in text
