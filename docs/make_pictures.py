"""Draws the README's pictures from the definitions and from a finished demo.

Run it after `make demo`: `.venv/bin/python docs/make_pictures.py`.
"""

import warnings
from pathlib import Path

import dagster as dg
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dagster_project.definitions import build_definitions
from dagster_project.environment import read_environment
from dagster_project.registry import Registry, home_of
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.project.project import Project

mpl.use("Agg")

PICTURES = Path(__file__).parent / "pictures"
ROOMS = tuple(room.name for room in Registry().rooms)
COLOURS = ("#6b7280", "#0f766e", "#2563eb", "#7c3aed", "#b91c1c", "#c2410c", "#15803d", "#a16207")
OUTLINE = "#ffd400"


def draw_graph(definitions: dg.Definitions, path: Path) -> None:
    """Assets from left to right in the order data flows; arrows that follow from others are left out."""
    graph = definitions.resolve_asset_graph()
    parents = {k: set(graph.get(k).parent_keys) for k in graph.toposorted_asset_keys}
    above: dict[dg.AssetKey, set[dg.AssetKey]] = {}
    depth: dict[dg.AssetKey, int] = {}
    for key, near in parents.items():
        above[key] = near | {a for n in near for a in above[n]}
        depth[key] = 1 + max((depth[n] for n in near), default=-1)
    needed = {k: {n for n in near if not any(n in above[o] for o in near)} for k, near in parents.items()}
    places = _places(depth, needed)
    figure, axes = plt.subplots(figsize=(16, 5))
    for key, near in needed.items():
        for parent in near:
            style = {"arrowstyle": "-|>", "color": "#9ca3af", "lw": 1.0, "shrinkA": 0, "shrinkB": 26}
            axes.annotate("", places[key], places[parent], arrowprops=style, zorder=1)
    for key, place in places.items():
        box = {"boxstyle": "round,pad=0.45", "fc": "white", "ec": _colour(key), "lw": 1.6}
        axes.text(*place, key.path[-1].replace("_", "\n", 1), ha="center", va="center", fontsize=9, bbox=box, zorder=3)
    handles = [mpl.patches.Patch(fc="white", ec=c, lw=1.6, label=r) for r, c in zip(ROOMS, COLOURS, strict=True)]
    axes.legend(handles=handles, ncol=len(ROOMS), loc="upper center", frameon=False, fontsize=10)
    axes.set_xlim(-0.6, max(depth.values()) + 0.6)
    axes.set_ylim(-3.0, 3.6)
    axes.axis("off")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _colour(key: dg.AssetKey) -> str:
    return COLOURS[ROOMS.index(key.path[0])]


def _places(
    depth: dict[dg.AssetKey, int], needed: dict[dg.AssetKey, set[dg.AssetKey]]
) -> dict[dg.AssetKey, tuple[float, float]]:
    """One column for each depth, assets in it ordered by the height of what they need."""
    places: dict[dg.AssetKey, tuple[float, float]] = {}
    for column in range(max(depth.values()) + 1):
        keys = [k for k in depth if depth[k] == column]
        heights = {k: np.mean([places[n][1] for n in needed[k]]) if needed[k] else 0.0 for k in keys}
        keys.sort(key=lambda k: (-heights[k], ROOMS.index(k.path[0]), k.path[-1]))
        for row, key in enumerate(keys):
            places[key] = (float(column), ((len(keys) - 1) / 2 - row) * 1.05)
    return places


def draw_years(project: Project, path: Path) -> None:
    """The site that changed most, each year as the model saw it, with the mapped outline."""
    refs = [m.ref for m in project.lake.manifests("polygons", "mining_polygons")]
    region = refs[0].keys[0]
    years = sorted(int(r.keys[1]) for r in refs if r.keys[0] == region)
    site = _liveliest(project, region, years)
    columns = (len(years) + 1) // 2
    figure, grid = plt.subplots(2, columns, figsize=(3 * columns, 6.4))
    for axes, year in zip(grid.flat, years, strict=False):
        _draw_year(axes, project, region, site, year)
    for axes in grid.flat[len(years) :]:
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=85)
    plt.close(figure)


def _liveliest(project: Project, region: str, years: list[int]) -> str:
    panel = {
        year: pd.read_parquet(
            project.lake.open(PartitionRef("tables", "site_panel", (str(year),))).file("site_panel.parquet")
        ).set_index("site_id")
        for year in years
    }
    areas = pd.DataFrame({y: p[p["region"] == region]["area_km2"] for y, p in panel.items()}).fillna(0.0)
    return str((areas.max(axis=1) - areas.min(axis=1)).idxmax())


def _draw_year(axes: Axes, project: Project, region: str, site: str, year: int) -> None:
    keys = (region, str(year))
    image = open_imagery(project.lake.open(PartitionRef("imagery", "imagery", keys))).read(site)
    order = [image.bands.index(b) for b in ("red", "green", "blue")]
    picture = np.clip(image.pixels[order].astype(np.float32) / 2500.0, 0.0, 1.0) ** 0.7
    left, bottom, right, top = image.grid.boundingbox.bbox
    axes.imshow(np.moveaxis(picture, 0, -1), extent=(left, right, bottom, top))
    polygons = read_geoparquet(
        project.lake.open(PartitionRef("polygons", "mining_polygons", keys)).file("mining_polygons.parquet")
    ).to_crs(str(image.grid.crs))
    polygons.boundary.plot(ax=axes, color=OUTLINE, linewidth=1.1)
    area = polygons.clip((left, bottom, right, top)).area.sum() / 1e6
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], xlabel="", ylabel="")
    axes.set_title(f"{year}   {area:.2f} km²", fontsize=11)


def main() -> None:
    """Draw both pictures."""
    warnings.simplefilter("ignore")
    environment = read_environment()
    home = home_of(environment)
    project = home.open()
    PICTURES.mkdir(exist_ok=True)
    draw_graph(build_definitions(environment, home), PICTURES / "graph.png")
    draw_years(project, PICTURES / "years.png")


if __name__ == "__main__":
    main()
