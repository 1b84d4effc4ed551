"""Draws the README's pictures from the definitions and from a finished demo.

Run it after `make demo`: `.venv/bin/python docs/make_pictures.py`.
"""

import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which

import dagster as dg
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from playwright.sync_api import sync_playwright

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
COLOURS = (
    *("#6b7280", "#0f766e", "#2563eb", "#7c3aed", "#b91c1c", "#c2410c"),
    *("#15803d", "#a16207", "#be185d", "#4338ca", "#111827"),
)
OUTLINE = "#ffd400"

_CARD, _LINE = 0.9, 0.13
"""Width of a room's card, and height of a line on it."""


def draw_graph(definitions: dg.Definitions, path: Path) -> None:
    """Rooms with their assets, from left to right in the order data flows; arrows that follow from others are left
    out.
    """
    graph = definitions.resolve_asset_graph()
    assets: dict[str, list[str]] = {room: [] for room in ROOMS}
    above: dict[str, set[str]] = {room: set() for room in ROOMS}
    for key in graph.toposorted_asset_keys:
        room = key.path[0]
        assets[room].append(key.path[-1].replace("_", " "))
        above[room] |= {parent.path[0] for parent in graph.get(key).parent_keys} - {room}
    places, needed = _layout(above)
    figure, axes = plt.subplots(figsize=(17, 4.6))
    for room, near in needed.items():
        for parent in near:
            (left, top), (right, height) = places[parent], places[room]
            style = {"arrowstyle": "-|>", "color": "#6b7280", "lw": 1.4}
            axes.annotate("", (right, height - 0.12), (left + _CARD, top - 0.12), arrowprops=style)
    for room, place in places.items():
        _draw_card(axes, room, assets[room], place)
    axes.set_xlim(-0.05, max(x for x, _ in places.values()) + 1.0)
    axes.set_ylim(-2.85, 0.05)
    axes.axis("off")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _draw_card(axes: Axes, room: str, assets: Sequence[str], place: tuple[float, float]) -> None:
    """A room: its name and, below it, what it makes."""
    x, top = place
    height = _LINE * (len(assets) + 1) + 0.1
    colour = COLOURS[ROOMS.index(room)]
    shape = mpl.patches.FancyBboxPatch(
        (x, top - height), _CARD, height, boxstyle="round,pad=0,rounding_size=0.03", fc="white", ec=colour, lw=1.6
    )
    axes.add_patch(shape)
    axes.text(x + 0.04, top - 0.07, room, va="top", fontsize=10.5, weight="bold", color=colour)
    for line, asset in enumerate(assets, 1):
        axes.text(x + 0.04, top - 0.08 - _LINE * line, asset, va="top", fontsize=7.5)


def _layout(above: dict[str, set[str]]) -> tuple[dict[str, tuple[float, float]], dict[str, set[str]]]:
    """Corners of the cards, one column for each step of data, and the rooms that each reads at first hand alone."""
    every: dict[str, set[str]] = {}
    depth: dict[str, int] = {}
    for room in ROOMS:  # rooms only read from those before them
        every[room] = above[room].union(*(every[one] for one in above[room]))
        depth[room] = 1 + max((depth[one] for one in above[room]), default=-1)
    needed = {
        room: {one for one in above[room] if not any(one in every[other] for other in above[room])} for room in ROOMS
    }
    last = max(depth.values())
    rest = {room for room in ROOMS if room not in every[ROOMS[-1]] | {ROOMS[-1]}}
    lanes = {room: 1.35 if room in rest else 0.0 for room in ROOMS}
    return {room: (float(min(depth[room], last)), -lanes[room]) for room in ROOMS}, needed


def draw_map(path: Path) -> None:
    """The map of the demo as a browser shows it: images of the last year, the outlines, and the panel of a site."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "map"
        subprocess.run([Path(sys.executable).with_name("minemap"), "map", "--to", folder], check=True)
        handler = partial(_Quiet, directory=str(folder))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as play:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = play.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1400, "height": 820})
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_selector("html[data-ready=yes]")
            page.locator("#imagery").check()
            page.locator("#details section:last-of-type .list button").first.click()
            page.wait_for_timeout(4000)
            page.screenshot(path=path, type="jpeg", quality=85)
            browser.close()
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


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
    """Draw all three."""
    warnings.simplefilter("ignore")
    environment = read_environment()
    home = home_of(environment)
    project = home.open()
    PICTURES.mkdir(exist_ok=True)
    draw_graph(build_definitions(environment, home), PICTURES / "graph.png")
    draw_years(project, PICTURES / "years.png")
    draw_map(PICTURES / "map.jpg")


if __name__ == "__main__":
    main()
