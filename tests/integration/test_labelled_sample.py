"""Labels of the page in the area estimates: the numbers are those that a hand computes from the same answers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from minemap_assets.geo.vector import WGS84
from minemap_assets.publication.labelling.answers import Answer
from minemap_assets.publication.labelling.sitting import sit
from minemap_assets.publication.labelling.tasks import sample_task
from minemap_assets.validation.drawing_samples import Wanted, draw_design
from minemap_assets.validation.sample_files import SampleDesign, register_sample
from tiny import WORLD, YEARS, Chain

pytestmark = pytest.mark.integration

FIRST, LAST = YEARS[0], YEARS[-1]


def answers_of(design: SampleDesign, year: int) -> list[Answer]:
    """What somebody says who knows the truth, but cannot tell of every fifteenth point."""
    mines = shapely.union_all(WORLD.truth(year).to_crs(WGS84).geometry.to_numpy())
    inside = shapely.intersects_xy(mines, [p.longitude for p in design.points], [p.latitude for p in design.points])
    return ["cannot tell" if n % 15 == 7 else "mine" if hit else "not mine" for n, hit in enumerate(inside)]


def test_area_estimates_count_what_was_answered_on_the_page(finished: Chain, tmp_path: Path) -> None:
    chain = finished.copied(tmp_path / "copy")
    project = chain.project
    wanted = Wanted(FIRST, LAST, 70, 3, 2, "neyman", 20.0)
    design = draw_design(project, tuple(project.active_regions()), wanted)
    register_sample(project.lake.store, design)
    task = sample_task(chain.project, design.name)
    anna = sit(chain.project, task, "anna")
    said = {year: answers_of(design, year) for year in (FIRST, LAST)}
    for year, answers in said.items():
        for point, answer in zip(task.points, answers, strict=True):
            anna.give({"point_id": point.point_id, "year": year, "answer": answer})
    report = chain.run("validation/area_estimates")
    assert not report.failures
    table = pd.read_parquet(chain.open("validation", "area_estimates").file("area_estimates.parquet"))
    rows = table[table["iso3"].isna() & (table["ground"] == "all")].set_index(["quantity", "year"])
    told = np.array([answer != "cannot tell" for answer in said[FIRST]])
    stratum = np.array([point.stratum for point in design.points])
    assert rows["labelled"].unique().tolist() == [told.sum()]
    for year, answers in said.items():
        mine = np.array([answer == "mine" for answer in answers])
        by_hand = sum(
            one.area_km2 * mine[told & (stratum == number)].mean() for number, one in enumerate(design.strata)
        )
        assert rows.loc[("area", year), "verdict"] == "estimated"
        assert rows.loc[("area", year), "estimate_km2"] == pytest.approx(by_hand)
    points = pd.read_parquet(chain.open("validation", "area_estimates").file("sample_points.parquet"))
    assert set(points["interpreter"]) == {"anna", ""}
