"""A project with one labelled mine: its model cannot be judged, so no map is made unless somebody wants it anyway."""

import json
from pathlib import Path

import duckdb
import geopandas as gpd
import pytest

from commands import command
from minemap_assets.geo.vector import read_geoparquet, write_geoparquet
from minemap_assets.reference.registered import reference_entry
from minemap_assets.reference.registration import register
from minemap_assets.segmentation.promotion import PROMOTION_PATH
from minemap_assets.simulation.demo import LICENCE
from tiny import Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

YEAR = ("--years", "2019")
MARKED = ("polygons", "site_panel", "country_summary", "region_summary")


def cut_down(chain: Chain, labels: int, folder: Path) -> None:
    """Leave one region, and so many labelled mines in it."""
    assert command(chain, "regions", "retire", "birch-delta").code == 0
    project = chain.project
    store, region = project.lake.store, project.region("alder-basin").geometry
    truth = read_geoparquet(store.fetch(reference_entry(project, "simulated_precise").file))
    inside: gpd.GeoDataFrame = truth[truth.intersects(region)].iloc[:labels]
    folder.mkdir()
    write_geoparquet(inside, folder / "precise.parquet")
    register(
        store, folder / "precise.parquet", name="simulated_precise", kind="polygons", licence=LICENCE, role="labels"
    )


def test_a_model_that_cannot_be_judged_makes_no_map_unasked(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "chain").prepared()
    cut_down(chain, 1, tmp_path / "labels")
    chain.change("steps = 48", "steps = 24")  # enough for outlines; none could be judged, however long it learns
    first = command(chain, "run", *YEAR)
    assert first.code == 3, first.text
    assert "Quality of the model: cannot be judged; no place with mines was held out" in first.text
    assert "0 failed" in first.text
    (said,) = [line for line in first.text.splitlines() if line.startswith("Stopped: ")]
    assert "because it cannot be judged: register more outlines" in said
    assert "--promote-anyway" in said
    assert "Mapped mining area" not in first.text
    made = {manifest.asset for manifest in chain.manifests()}
    assert {"segmentation_model", "model_evaluation", "chips"} <= made
    assert not made & {"promoted_model", "raw_masks", "mining_polygons", "database", *MARKED}
    assert chain.project.lake.store.size(PROMOTION_PATH) is None
    ahead = command(chain, "run", "--dry-run", *YEAR)
    assert "made only where the trained model's verdict is usable" in ahead.text

    done = command(chain, "run", "--json", "--promote-anyway", *YEAR)
    assert done.code == 0, done.text
    told = json.loads(done.text[done.text.index("{\n") :])
    assert told["verdict"]["grade"] == told["model_in_use"]["verdict"] == "cannot be judged"
    assert told["stopped"] is None
    for name in MARKED:
        assert set(chain.table(name, 2019)["model_verdict"]) == {"cannot be judged"}, name
    with duckdb.connect(str(chain.folder / "state" / "minemap.duckdb"), read_only=True) as connection:
        facts = dict(connection.execute("SELECT key, value FROM minemap_info").fetchall())
        marks = connection.execute("SELECT DISTINCT model_verdict FROM latest_country_summary").fetchall()
    assert facts["model_verdict"] == "cannot be judged"
    assert facts["model_version"] == told["model_in_use"]["version"]
    assert marks == [("cannot be judged",)]
    status = command(chain, "status", *YEAR)
    assert "with the verdict cannot be judged" in status.text
