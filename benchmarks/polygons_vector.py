"""Vector steps of the polygons room at the paper's scale, as ratios against the plain ways of doing them.

Run: `python benchmarks/polygons_vector.py [polygons a year]`. Prints one JSON object. Seconds are this machine's and
mean little; ratios come from one run.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minemap_assets.geo.vector import WGS84
from minemap_assets.polygons.countries import Borders
from minemap_assets.polygons.merge import merge_sites
from minemap_assets.polygons.temporal.window_rule import YearView, window_rule

YEARS = range(2016, 2025)
T = TypeVar("T")
NONE = np.zeros(0, dtype=object)


def scene(count: int, seed: int) -> gpd.GeoDataFrame:
    """Blobs of about 70 vertices around fixed places in one UTM zone, a third of them beside one of another site."""
    places = np.random.default_rng(0).uniform([200_000, 0], [800_000, 900_000], (count, 2))
    rng = np.random.default_rng(seed)
    places = places + rng.normal(0, 20, places.shape)
    places[: count // 3] = places[count // 3 : 2 * (count // 3)] + 150.0
    turn = np.linspace(0, 2 * np.pi, 70, endpoint=False)
    radius = rng.uniform(80, 200, (count, 1)) * (1 + 0.2 * rng.random((count, 70)))
    rings = places[:, None] + radius[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    frame = gpd.GeoDataFrame(geometry=shapely.polygons(rings), crs="EPSG:32630").to_crs(WGS84)
    frame["site_id"] = [f"s{n}" for n in range(count)]
    return frame


def countries() -> gpd.GeoDataFrame:
    """A checkerboard of 100 countries with wriggly borders of 400 vertices a side."""
    wave = np.linspace(0, 1, 400)

    def side(start: tuple[float, float], along: tuple[float, float]) -> np.ndarray:
        across = np.array([along[1], along[0]])
        return np.array(start) + wave[:, None] * np.array(along) + 0.02 * np.sin(40 * wave)[:, None] * across

    shapes = []
    for column in range(10):
        for row in range(10):
            x, y, w, h = -6.0 + 0.7 * column, -0.5 + row, 0.7, 1.0
            ring = np.concatenate(
                [
                    side((x, y), (w, 0)),
                    side((x + w, y), (0, h)),
                    side((x, y + h), (w, 0))[::-1],
                    side((x, y), (0, h))[::-1],
                ]
            )
            shapes.append(shapely.make_valid(shapely.Polygon(ring)))
    codes = [f"X{chr(65 + n // 10)}{chr(65 + n % 10)}" for n in range(100)]
    return gpd.GeoDataFrame({"iso3": codes, "name": codes, "continent": ""}, geometry=shapes, crs=WGS84)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time, and the result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main(count: int) -> None:
    """Measure and print."""
    frames = {year: scene(count, year) for year in YEARS}
    views = {y: YearView(np.asarray(f.geometry, dtype=object), NONE) for y, f in frames.items()}
    crs = dict.fromkeys(frames[2016]["site_id"], "EPSG:32630")
    temporal, _ = timed(lambda: [window_rule(views[y].polygons, y, views.get, 1) for y in YEARS])
    buffered, _ = timed(lambda: window_rule(views[2019].polygons, 2019, views.get, 1, 100.0))
    merge, merged = timed(lambda: merge_sites(frames[2019], crs))
    union, whole = timed(lambda: shapely.get_parts(shapely.union_all(views[2019].polygons)))
    borders = countries()
    split, shares = timed(lambda: Borders(borders).split(views[2019].polygons))
    numbered = gpd.GeoDataFrame(pd.DataFrame({"n": range(count)}), geometry=views[2019].polygons, crs=WGS84)
    overlay, _ = timed(lambda: gpd.overlay(numbered, borders, how="intersection"))
    print(
        json.dumps(
            {
                "polygons_a_year": count,
                "temporal_rule_9_years_s": round(temporal, 2),
                "temporal_rule_100_m_1_year_s": round(buffered, 2),
                "merge_1_year_s": round(merge, 2),
                "merge_ratio_to_union_all": round(union / merge, 1),
                "merge_polygons": [len(merged.polygons), len(whole)],
                "country_split_1_year_s": round(split, 2),
                "country_split_ratio_to_overlay": round(overlay / split, 1),
                "country_split_rows": len(shares),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 17_000)
