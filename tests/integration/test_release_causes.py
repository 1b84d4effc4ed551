"""Causes of what changed between two states of a real project: each change names its regions and its cause only.

One copy of the finished small world is changed four times, frozen before each.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import shapely

from minemap_assets.geo.vector import write_geoparquet
from minemap_assets.graph.graph import Graph
from minemap_assets.graph.partition_states import PartitionStates
from minemap_assets.polygons import raw
from minemap_assets.polygons.assets import RAW_POLYGONS
from minemap_assets.polygons.chosen_threshold import ThresholdRule
from minemap_assets.project.regions import REGIONS_PATH, write_regions
from minemap_assets.publication.releases.comparison import GAINED, LOST, Comparison, compare
from minemap_assets.publication.releases.frozen import Decision, freeze, opened
from minemap_assets.publication.releases.published import Published, published_now
from minemap_assets.reference.catalogue import read_entry
from minemap_assets.reference.registered import reference_entry
from minemap_assets.reference.registration import register
from minemap_assets.segmentation.artefact import load_model, open_model, write_card
from minemap_assets.segmentation.promotion import promote
from minemap_assets.simulation.built_in_worlds import ALDER
from minemap_assets.simulation.demo import LICENCE
from tiny import YEARS, Chain

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BIRCH = "birch-delta"

MAPS = (
    "room:reference,ground_truth,sites,owned_ground,imagery,chips,promoted_model,raw_masks,raw_polygons,"
    "mining_polygons,tables/polygons,site_panel,country_summary,region_summary,release_review"
)
"""All that maps are made with, but for the training of a model."""


@dataclass(frozen=True)
class Changed:
    """A comparison, and the square kilometres of each region and year in both states as the tables have them."""

    comparison: Comparison
    before: pd.Series
    after: pd.Series


def published(chain: Chain) -> Published:
    project = chain.project
    graph = Graph(chain.registry.rooms, project)
    return published_now(graph, PartitionStates(graph, project))


def areas(chain: Chain) -> pd.Series:
    tables = [chain.frame("tables", "polygons", str(year), file="polygons.parquet") for year in YEARS]
    return pd.concat(tables).groupby(["region", "year"])["area_km2"].sum()


class Changes:
    """One project, changed by one thing after another."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def compared(self, change: Callable[[], None]) -> Changed:
        """The state as it is beside what a change of it comes to."""
        before = areas(self.chain)
        decision = Decision("Ada", "2026-01-01T00:00:00+00:00", "before a change")
        frozen = freeze(self.chain.project, published(self.chain), decision, {"polygons": {}, "km2": {}})
        change()
        assert not self.chain.run(MAPS, accepts_losses=True).failures
        found = compare(opened(self.chain.project, frozen), published(self.chain))
        return Changed(found, before, areas(self.chain))

    def another_model(self, scratch: Path) -> None:
        """The same weights with another calibration, put in use."""
        model = load_model(self.chain.open("segmentation", "promoted_model"))
        shutil.copytree(model.folder, scratch)
        products = {
            name: card.model_copy(
                update={"calibration": card.calibration.model_copy(update={"shift": card.calibration.shift - 0.5})}
            )
            for name, card in model.card.products.items()
        }
        write_card(model.card.model_copy(update={"products": products}), scratch)
        other = open_model(scratch)
        assert other.version != model.version
        promote(self.chain.project, other, "a test")

    def without_a_mine_in_the_truth(self, scratch: Path) -> None:
        """One mine of a region is taken out of both reference sets; the model stays as it is."""
        project = self.chain.project
        ground = project.region(BIRCH).geometry
        for name, role in (("simulated_precise", "labels"), ("simulated_broad", "outlines")):
            outlines = read_entry(reference_entry(project, name), project.lake.store)
            inside = outlines[outlines.intersects(ground)]
            left = outlines.drop(index=inside.geometry.bounds["minx"].idxmin()).reset_index(drop=True)
            write_geoparquet(left, scratch / f"{name}.parquet")
            register(
                project.lake.store,
                scratch / f"{name}.parquet",
                name=name,
                kind="polygons",
                licence=LICENCE,
                role=role,  # type: ignore[arg-type]
            )

    def a_smaller_region(self) -> None:
        """The outline of a region cuts one of its mines in two, and leaves the other one out."""
        project = self.chain.project
        mines = self.chain.frame("tables", "polygons", str(YEARS[-1]), file="polygons.parquet")
        largest = mines[mines["region"] == ALDER].sort_values("area_km2").geometry.iloc[-1]
        regions = dict(project.regions)
        west, south, east, north = regions[ALDER].geometry.bounds
        middle = largest.centroid.x
        kept = (west, middle) if middle < (west + east) / 2 else (middle, east)
        small = shapely.intersection(regions[ALDER].geometry, shapely.box(kept[0], south, kept[1], north))
        regions[ALDER] = replace(regions[ALDER], geometry=small)
        project.lake.store.write_bytes(REGIONS_PATH, write_regions(list(regions.values())))


class Stricter(ThresholdRule):
    """What the next version outlines is likelier by 0.2."""

    def __init__(self, rule: ThresholdRule) -> None:
        self.__dict__.update(rule.__dict__)

    def of(self, product: str, stored_point: str, stored_threshold: float, model_version: str = "") -> float:
        return super().of(product, stored_point, stored_threshold, model_version) + 0.2


def next_version(patch: pytest.MonkeyPatch) -> None:
    """This process has it inside, and the asset says so by its number."""
    build = raw.build_raw_polygons

    def stricter(*words: Any) -> Any:
        *others, rule, writer = words
        return build(*others, Stricter(rule), writer)

    patch.setattr(raw, "build_raw_polygons", stricter)
    object.__setattr__(RAW_POLYGONS, "code_version", f"{RAW_POLYGONS.code_version}, stricter")


@pytest.fixture(scope="module")
def changed(finished: Chain, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Changed]:
    """What each change comes to, by its cause."""
    scratch = tmp_path_factory.mktemp("changes")
    changes = Changes(finished.copied(scratch / "project"))
    found = {
        "model": changes.compared(lambda: changes.another_model(scratch / "model")),
        "ground truth": changes.compared(lambda: changes.without_a_mine_in_the_truth(scratch)),
        "boundary": changes.compared(changes.a_smaller_region),
    }
    version = RAW_POLYGONS.code_version
    with pytest.MonkeyPatch.context() as patch:
        try:
            found["code"] = changes.compared(lambda: next_version(patch))
        finally:
            object.__setattr__(RAW_POLYGONS, "code_version", version)
    return found


@pytest.mark.parametrize(
    ("cause", "regions"),
    [("model", {ALDER, BIRCH}), ("ground truth", {BIRCH}), ("boundary", {ALDER}), ("code", {ALDER, BIRCH})],
)
def test_a_change_names_its_regions_and_its_cause_only_and_adds_up(
    changed: Mapping[str, Changed], cause: str, regions: set[str]
) -> None:
    one = changed[cause]
    found = one.comparison
    assert set(found.changes["cause"]) == {cause}
    assert set(found.changes["region"]) == regions
    assert set(found.changes["year"]) == set(YEARS)
    assert found.only_before == found.only_after == ()
    assert found.km2 == pytest.approx((one.before.sum(), one.after.sum()))
    sums = found.sums("region", "year").set_index(["region", "year"])
    assert set(one.after.index) <= set(one.before.index)
    difference = one.after.reindex(one.before.index, fill_value=0.0) - one.before
    told = (sums[GAINED] - sums[LOST]).reindex(difference.index, fill_value=0.0)
    assert told.to_numpy() == pytest.approx(difference.to_numpy(), abs=1e-6)
    by_cause = found.sums("cause").iloc[0]
    assert by_cause[GAINED] - by_cause[LOST] == pytest.approx(difference.sum(), abs=1e-5)
    assert abs(difference.sum()) > 0.05
