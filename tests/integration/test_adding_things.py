"""A room is added with a folder and a line in the registry, a source with a package and a line; nothing else changes.

Both are added to a copy of the packages, and everything that lists rooms or sources is asked in processes of their own.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dagster_project.registry import SOURCES
from house import PACKAGES, ROOT
from minemap_assets.geo.raster import read_raster
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALL_YEARS = f"{YEARS[0]}-{YEARS[-1]}"

ASSET = "statistics/mask_statistics"
"""The asset of the new room: 6 partitions, of two regions and three years."""

ROOM = '''\
"""The room statistics: what the masks of a region and year come to, site by site."""

from pydantic import Field

from minemap_assets.geo.vector import read_geoparquet, write_parquet
from minemap_assets.graph.context import BuildContext, Check, CheckOutcome, InputContext
from minemap_assets.graph.partitioning import by_region_and_year
from minemap_assets.graph.statement import Asset, ColumnFacts, ColumnOrigin, Dep, Room
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.project.settings import Section, StrictModel
from minemap_assets.segmentation.assets import RAW_MASKS

FILE = "mask_statistics.parquet"
SITE = ColumnOrigin("raw_masks", "site_id")


class StatisticsConfig(StrictModel):
    """Pixels whose probability is at or above `likely` are counted as likely."""

    likely: float = Field(0.9, ge=0.0, le=1.0)


def _build(context: BuildContext) -> Outcome:
    import pandas as pd

    from minemap_assets.geo.raster import read_raster
    from minemap_assets.segmentation.scale import NOT_OBSERVED, TOP, is_mine

    masks, likely = context.input(RAW_MASKS), context.project.section(StatisticsConfig).likely
    index = read_geoparquet(masks.file("index.parquet"))
    rows = []
    for site, file in zip(index["site_id"], index["file"], strict=True):
        stored = read_raster(masks.file(file)).pixels[0]
        seen = stored[stored != NOT_OBSERVED]
        rows.append((site, float(seen.mean()) / TOP, float(is_mine(seen, likely).mean())))
    table = pd.DataFrame(rows, columns=["site_id", "mean_probability", "likely_share"])
    write_parquet(table, context.writer.path(FILE))
    context.writer.add(FILE)
    return Outcome({"rows": len(table)})


def _plausible(partition: Partition, _: InputContext) -> CheckOutcome:
    import pandas as pd

    mean = pd.read_parquet(partition.file(FILE))["mean_probability"]
    odd = int((~mean.between(0.0, 1.0)).sum())
    return CheckOutcome(odd == 0, f"{len(mean) - odd} of {len(mean)} means are plausible", {"odd": odd})


MASK_STATISTICS = Asset(
    room="statistics",
    name="mask_statistics",
    description="Mean probability of mining of every site of a region and year.",
    partitions=by_region_and_year,
    deps=(Dep(RAW_MASKS),),
    settings=lambda project, _: project.section(StatisticsConfig).model_dump(mode="json"),
    checks=(Check("plausible_means", "Every mean lies between 0 and 1.", _plausible),),
    automated=True,
    columns=ColumnFacts({"likely_share": "Share of likely pixels."}, {"site_id": (SITE,)}),
    build=_build,
)

ROOM = Room("statistics", (MASK_STATISTICS,), sections=(Section("statistics", StatisticsConfig),))
'''

SOURCE = '''\
"""The source `flat`: ground of one reflectance everywhere and always."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from odc.geo.geobox import GeoBox
from pydantic import Field
from shapely.geometry.base import BaseGeometry

from minemap_assets.imagery.costs import KNOWN, Cost, FetchRequest
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import Availability, Composite, ImagerySource, Latest, Provenance
from minemap_assets.imagery.source_kind import AccessAnswer, AccessCheck, SourceFacts, SourceKind, Terms
from minemap_assets.project.project import Project
from minemap_assets.project.settings import StrictModel

NAME, PRODUCT, TERMS = "flat", "sentinel-2-l2a", "nobody's pixels"


class FlatConfig(StrictModel):
    """The reflectance of the ground."""

    reflectance: float = Field(0.2, gt=0.0, le=1.0)


class FlatSource(ImagerySource):
    """One reflectance in every band."""

    def __init__(self, reflectance: float) -> None:
        super().__init__(NAME, PRODUCT, f"flat-{reflectance}")
        self.reflectance = reflectance

    def read(self, grid: GeoBox, season: Season, bands: Sequence[str]) -> Composite:
        pixels = np.full((len(bands), *grid.shape), round(self.reflectance * 10_000), dtype=np.uint16)
        first, last = season.start.isoformat(), (season.end - timedelta(days=1)).isoformat()
        provenance = Provenance(NAME, PRODUCT, ("flat",), first, last, TERMS, True)
        return Composite(grid, tuple(bands), pixels, np.ones(grid.shape, dtype=np.uint16), provenance)

    def available(self, area: BaseGeometry, season: Season) -> Availability:
        return Availability(1, 1.0)

    def latest(self) -> Latest:
        return Latest()


@dataclass(frozen=True)
class FlatCosts:
    """Eleven requests a site."""

    name: str = NAME

    def serves(self, grid: GeoBox, season: Season) -> bool:
        return True

    def cost(self, request: FetchRequest) -> Cost:
        sites = len(request.grids)
        return Cost(site_years=sites, requests=11 * sites, basis=frozenset({KNOWN}))


def _open(project: Project, _: str) -> ImagerySource:
    return FlatSource(project.section(FlatConfig).reflectance)


FLAT = SourceKind(
    name=NAME,
    products=(PRODUCT,),
    section="flat",
    config=FlatConfig,
    open=_open,
    revision=lambda project, product: _open(project, product).revision,
    facts=SourceFacts("every year", "everywhere", "none whatever"),
    access=AccessCheck(
        lambda _: "none needed", lambda _, __: AccessAnswer("always at hand"), lambda _, __: (Terms(TERMS, True),)
    ),
    cost_model=lambda _, __, ___: FlatCosts(),
)
'''

FILES = {
    "minemap_assets/statistics/__init__.py": "",
    "minemap_assets/statistics/assets.py": ROOM,
    "minemap_assets/imagery/sources/flat/__init__.py": "",
    "minemap_assets/imagery/sources/flat/kind.py": SOURCE,
}

REGISTRY = "dagster_project/registry.py"
REGISTRATION = {
    "from minemap_assets.sites import assets as sites\n": (
        "from minemap_assets.statistics import assets as statistics\n"
    ),
    "        validation,\n": "        statistics,\n",
    "from minemap_assets.imagery.sources.earth_engine.kind import EARTH_ENGINE\n": (
        "from minemap_assets.imagery.sources.flat.kind import FLAT\n"
    ),
    "    STAC,\n": "    FLAT,\n",
}
"""What is written below each of these lines: a room and a source with their imports."""

NOBODY = 'name = "none", endpoint = "http://127.0.0.1:9", collection = "none", offset = "always"'
"""A collection where nobody answers."""

FLAT_SETTINGS = {
    "until = 2024": f"until = {YEARS[-2]}",
    "from = 2025": f"from = {YEARS[-1]}",
    'sentinel-2-l2a = ["simulated"]': 'sentinel-2-l2a = ["flat", "simulated"]',
    "[sources.simulated]": f"""\
[sources.stac]
attempts = 1
collections = [{{ {NOBODY} }}]

[sources.flat]
reflectance = 0.3

[sources.simulated]""",
}
"""What takes the place of what in the settings, so that the last year is read from the new source."""

DEFINITIONS = """
import json
import minemap_assets, dagster_project
from dagster import AssetKey
from dagster_project.definitions import build_definitions

graph = build_definitions().resolve_asset_graph()
node = graph.get(AssetKey(["statistics", "mask_statistics"]))
sibling = graph.get(AssetKey(["polygons", "raw_polygons"]))
print(json.dumps({
    "packages": [minemap_assets.__file__, dagster_project.__file__],
    "group": node.group_name,
    "parents": sorted(key.to_user_string() for key in node.parent_keys),
    "as its sibling": node.partitions_def == sibling.partitions_def,
    "checks": sorted(key.name for key in node.check_keys),
    "automation": node.automation_condition is not None,
    "lineage": "dagster/column_lineage" in node.metadata,
}))
"""


@dataclass(frozen=True)
class Copy:
    """The packages with the additions, in a folder of their own."""

    root: Path

    def python(self, chain: Chain, *words: str) -> str:
        """What a process on the chain's project says; it has no credentials."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
        own = {"MINEMAP_HOME": chain.environment.home, "MINEMAP_STATE": str(chain.environment.state)}
        place = {"PYTHONPATH": str(self.root), "HOME": str(self.root), "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
        env, command = kept | own | place, [sys.executable, *words]
        done = subprocess.run(command, cwd=chain.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def minemap(self, chain: Chain, *words: str) -> str:
        """A command of minemap, which succeeds."""
        return self.python(chain, "-m", "dagster_project.cli.main", *words)


def contents(root: Path) -> dict[str, str]:
    """The packages' files below a root."""
    paths = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def registered(registry: str) -> str:
    """The registry with the additions."""
    for line, addition in REGISTRATION.items():
        assert registry.count(line) == 1, line
        registry = registry.replace(line, line + addition)
    return registry


def table(text: str) -> dict[str, dict[str, str]]:
    """The first table that a command shows, by the first cell of each row and the first line of each column's title."""
    lines = [line for line in text.partition("└")[0].splitlines() if line.startswith(("│", "┃"))]
    header, *rows = ([cell.strip() for cell in line[1:-1].split(line[0])] for line in lines)
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("packages")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / REGISTRY).write_text(registered((ROOT / REGISTRY).read_text(encoding="utf-8")), encoding="utf-8")
    return Copy(root)


@pytest.fixture(scope="module")
def chain(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The finished project, of which only what the new room made is changed."""
    return finished.copied(tmp_path_factory.mktemp("room") / "copy")


@pytest.fixture(scope="module")
def flat(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A project whose last year is of Sentinel-2, from the new source."""
    chain = finished.copied(tmp_path_factory.mktemp("source") / "copy")
    path = chain.folder / "lake" / SETTINGS_PATH
    text = path.read_text()
    for old, new in FLAT_SETTINGS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)
    return chain


def test_nothing_changes_but_a_line_for_each_in_the_registry(copy: Copy) -> None:
    before, after = contents(ROOT), contents(copy.root)
    assert set(after) - set(before) == set(FILES)
    assert {name for name in before if after.get(name) != before[name]} == {REGISTRY}
    changes = [line for line in ndiff(before[REGISTRY].splitlines(), after[REGISTRY].splitlines()) if line[0] != " "]
    assert sorted(changes) == sorted(f"+ {line.rstrip()}" for line in REGISTRATION.values())


def test_dagster_holds_the_asset_with_all_that_its_statement_says(copy: Copy, chain: Chain) -> None:
    shown: dict[str, Any] = json.loads(copy.python(chain, "-c", DEFINITIONS))
    assert shown == {
        "packages": [str(copy.root / package / "__init__.py") for package in reversed(PACKAGES)],
        "group": "statistics",
        "parents": ["segmentation/raw_masks"],
        "as its sibling": True,
        "checks": ["plausible_means"],
        "automation": True,
        "lineage": True,
    }


def test_the_command_line_makes_the_asset_keeps_it_and_redoes_it_alone(copy: Copy, chain: Chain) -> None:
    run = ("run", "--years", ALL_YEARS)
    before = table(copy.minemap(chain, "status", "--years", ALL_YEARS))
    assert before.pop("total")["missing"] == "6"
    assert before[ASSET] == {"all": "6", "current": "·", "outdated": "·", "gaps": "·", "missing": "6"}
    assert all(row["all"] == row["current"] for asset, row in before.items() if asset != ASSET)

    made = copy.minemap(chain, *run, "--select", ASSET)
    assert "6 asset partitions made, 0 kept, 0 failed, 0 held up" in made
    region = chain.project.active_regions().popitem()[0]
    masks = chain.open("segmentation", "raw_masks", region, str(YEARS[0]))
    statistics = pd.read_parquet(chain.folder / "lake" / ASSET / region / str(YEARS[0]) / "mask_statistics.parquet")
    assert len(statistics)
    for row in statistics.itertuples():
        stored = read_raster(masks.file(f"{row.site_id}.tif")).pixels[0]
        assert row.mean_probability == pytest.approx(stored[stored != NOT_OBSERVED].mean() / TOP)

    kept = copy.minemap(chain, *run, "--select", ASSET)
    assert "0 asset partitions made, 6 kept, 0 failed, 0 held up" in kept

    chain.change("[segmentation]", "[statistics]\nlikely = 0.5\n\n[segmentation]")
    after = table(copy.minemap(chain, "status", "--years", ALL_YEARS))
    assert after.pop("total")["outdated"] == "6"
    assert after[ASSET]["outdated"] == "6"
    assert {asset for asset, row in after.items() if row != before[asset]} == {ASSET}
    redone = copy.minemap(chain, *run, "--select", f"raw_masks,{ASSET}")
    assert "6 asset partitions made, 6 kept, 0 failed, 0 held up" in redone


def test_the_sources_are_listed_with_the_new_one(copy: Copy, flat: Chain) -> None:
    lines = copy.minemap(flat, "sources").splitlines()
    assert [line.split()[0] for line in lines] == sorted(["flat", *(kind.name for kind in SOURCES)])
    told = (
        "flat works, serves sentinel-2-l2a | credentials: none needed | always at hand | covers every year; everywhere"
    )
    (line,) = copy.minemap(flat, "sources", "flat").splitlines()
    assert line.startswith(told)
    assert line in lines


def test_the_new_source_is_planned_by_its_own_model_and_read_from(copy: Copy, finished: Chain, flat: Chain) -> None:
    region, year = next(iter(finished.project.active_regions())), str(YEARS[-1])
    sites = len(finished.frame("sites", "sites", region, file="sites.parquet"))
    place = ("--regions", region, "--years", year)
    planned = table(copy.minemap(flat, "plan", "--select", "imagery/imagery", *place))
    assert {name: row["flat"] for name, row in planned.items() if name in {"site-years", "requests", "rests on"}} == {
        "site-years": str(sites),
        "requests": str(11 * sites),
        "rests on": "known here",
    }
    made = copy.minemap(flat, "run", "--select", "imagery/imagery", *place)
    assert "1 asset partitions made, 0 kept, 0 failed, 0 held up" in made
    folder = flat.folder / "lake" / "imagery" / "imagery" / region / year
    index = pd.read_parquet(folder / "index.parquet")
    assert list(index["source"]) == ["flat"] * sites
    for file in index["file"]:
        assert set(np.unique(read_raster(next(folder.glob(f"{Path(file).stem}*.tif"))).pixels)) == {1, 3000}


def test_the_reference_page_names_both(copy: Copy, chain: Chain, tmp_path: Path) -> None:
    copy.python(chain, "-m", "dagster_project.reference_pages", str(tmp_path))
    page = (tmp_path / "assets.md").read_text(encoding="utf-8")
    for told in (f"#### {ASSET}\n", "Settings: `[statistics]`.", "### flat\n", "`[sources.flat]`"):
        assert told in page
