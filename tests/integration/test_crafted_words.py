"""Words that would be code elsewhere: they are kept as words in tables, events and messages, and lead nowhere."""

import json
import re
from pathlib import Path

import duckdb
import geopandas as gpd
import pytest
from dagster import AssetRecordsFilter, DagsterInstance

from dagster_project.runner import State
from minemap_assets.errors import BadInputError
from minemap_assets.lake.inputs import Inputs
from minemap_assets.project.regions import REGIONS_PATH
from minemap_assets.reference.catalogue import CATALOGUE_PATH
from minemap_assets.reference.registration import register
from minemap_assets.simulation.export import write_inputs
from minemap_assets.tables.assets import database_path
from tiny import WORLD, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SQL = "'); DROP TABLE site_panel; --"
HTML = "<img src=x onerror=\"document.title='crafted'\">"
UPWARDS = "../../../../crafted"
CRAFTED = f"{SQL}{HTML}{UPWARDS}"

TAG = re.compile(r"<\s*(img|script|svg|iframe|a)\b", re.IGNORECASE)


def entitle(chain: Chain) -> None:
    """Give every region a crafted title."""

    def edit(data: bytes | None) -> bytes:
        regions = json.loads(data or b"")
        for feature in regions["features"]:
            feature["properties"]["title"] = CRAFTED
        return json.dumps(regions).encode()

    Inputs(chain.project.lake.store).change(REGIONS_PATH, edit)


def rename_countries(chain: Chain, folder: Path) -> int:
    """Register the same borders with crafted names; the number of countries."""
    borders = gpd.read_parquet(write_inputs(WORLD, folder).boundaries)
    column = next(name for name in borders.columns if name.lower() in ("name", "name_en"))
    borders[column] = [f"{number} {CRAFTED}" for number in range(len(borders))]
    borders.to_file(folder / "crafted.gpkg")
    name, licence = "country_boundaries", HTML
    register(chain.project.lake.store, folder / "crafted.gpkg", name=name, kind="boundaries", licence=licence)
    return len(borders)


def everything_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_crafted_names_stay_words(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "within" / "project")
    outside = everything_below(tmp_path) - everything_below(chain.folder)
    entitle(chain)
    (tmp_path / "within" / "borders").mkdir()
    countries = rename_countries(chain, tmp_path / "within" / "borders")
    report = chain.run()
    assert not report.failures, report.failures
    assert report.count(State.BLOCKED) == 0

    year = max(WORLD.years)
    summary = chain.table("country_summary", year)
    named = summary.loc[summary["iso3"] != "", "name"]
    assert countries > 0
    assert named.str.endswith(CRAFTED).all()
    with duckdb.connect(str(database_path(chain.project)), read_only=True) as connection:
        kept = connection.execute("select name from country_summary where year = ? and iso3 <> ''", [year]).df()
        panel = connection.execute("select count(*) as n from site_panel where year = ?", [year]).df()
    assert sorted(kept["name"]) == sorted(named)
    assert int(panel["n"][0]) == len(chain.table("site_panel", year))

    new = everything_below(tmp_path) - everything_below(chain.folder) - outside
    assert not {name for name in new if "crafted" in name} - {"crafted.gpkg"}
    assert told_as_markup(chain) == []


def told_as_markup(chain: Chain) -> list[str]:
    """Facts of events that a browser would take for elements of a page."""
    found = []
    with DagsterInstance.from_config(str(chain.environment.dagster_home)) as instance:
        for key in instance.all_asset_keys():
            for record in instance.fetch_materializations(AssetRecordsFilter(key), limit=1000).records:
                event = record.asset_materialization
                assert event is not None
                for name, value in event.metadata.items():
                    if type(value).__name__ == "MarkdownMetadataValue" and TAG.search(str(value.value)):
                        found.append(f"{key.to_user_string()}: {name}")
    return found


def test_a_crafted_registered_path_stays_in_the_lake(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "project")
    store = chain.project.lake.store
    text = store.read_bytes(CATALOGUE_PATH).decode()
    crafted = text.replace('"inputs/reference/', f'"inputs/reference/{UPWARDS}/')
    assert crafted != text
    store.write_bytes(CATALOGUE_PATH, crafted.encode())
    before = everything_below(tmp_path)
    with pytest.raises(BadInputError, match=r"crafted.*not below inputs/reference"):
        chain.run()
    assert everything_below(tmp_path) == before
