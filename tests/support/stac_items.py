"""Items of Sentinel-2 images, each in the words of its catalogue: recorded ones, changed in what tells images apart."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import shapely

from minemap_assets.imagery.sources.stac.config import Collection

RECORDED = Path(__file__).with_name("recorded") / "stac"
OUTLINE = shapely.box(10.0, 47.0, 11.4, 48.0)
"""Where the made items lie."""

PLACE = shapely.box(11.02, 47.40, 11.07, 47.44)
"""A site there, which two orbits see."""

_TEMPLATES = {
    "sentinel-2-c1-l2a": "earth_search_c1",
    "planetary-computer": "planetary_computer",
    "earth-search": "earth_search_l2a",
}


def recorded(name: str) -> list[dict[str, Any]]:
    """The items of a recorded answer, each time anew."""
    said = json.loads(_text(name))
    items: list[dict[str, Any]] = said if isinstance(said, list) else said.get("features", [said])
    return items


@cache
def _text(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text()


@cache
def _template(name: str) -> str:
    return json.dumps(recorded(name)[0])


@dataclass(frozen=True, order=True)
class Image:
    """An image that a satellite took of a tile: `taken` is when its datatake began, `strip` when its datastrip did."""

    taken: datetime
    orbit: int
    tile: str = "32TPT"
    strip: datetime | None = None

    @property
    def platform(self) -> str:
        """Letter of the satellite: two take turns every five days."""
        return "ab"[self.taken.toordinal() // 5 % 2]


def season_of_images(first: date, last: date, orbits: Sequence[int], tile: str = "32TPT") -> list[Image]:
    """Every pass of some orbits, each five days after the one before."""
    images = []
    for number, orbit in enumerate(orbits):
        day = datetime(first.year, first.month, first.day, 10, 10, 31) + timedelta(days=1 + 2 * number)
        while day.date() <= last:
            images.append(Image(day, orbit, tile))
            day += timedelta(days=5)
    return sorted(images)


def item_like(collection: Collection, image: Image, baseline: str = "05.10", suffix: str = "") -> dict[str, Any]:
    """The item of an image as a collection has it."""
    kind = next(kind for kind in _TEMPLATES if kind in collection.name)
    item: dict[str, Any] = json.loads(_template(_TEMPLATES[kind]))
    taken, strip = (f"{moment:%Y%m%dT%H%M%S}" for moment in (image.taken, image.strip or image.taken))
    mission = f"S2{image.platform.upper()}"
    product = f"{mission}_MSIL2A_{taken}_N{baseline.replace('.', '')}_R{image.orbit:03d}_T{image.tile}_{taken}"
    said = {
        "s2:product_uri": f"{product}.SAFE",
        "s2:datatake_id": f"GS{mission[1:]}_{taken}_042447_N{baseline}",
        "s2:datastrip_id": f"{mission}_OPER_MSI_L2A_DS_2BPS_{taken}_S{strip}_N{baseline}",
        "s2:processing_baseline": baseline,
        "eo:cloud_cover": 20.0,
    }
    if kind == "planetary-computer":
        item["id"] = f"{mission}_MSIL2A_{taken}_R{image.orbit:03d}_T{image.tile}_{taken}{suffix}"
        said |= {"s2:mgrs_tile": image.tile, "sat:relative_orbit": image.orbit}
        said |= {"platform": f"Sentinel-2{image.platform.upper()}", "datetime": f"{image.taken:%Y-%m-%dT%H:%M:%S}.024Z"}
    else:
        item["id"] = f"{mission}_T{image.tile}_{strip}_L2A{suffix}"
        said |= {"grid:code": f"MGRS-{image.tile.lstrip('0')}", "platform": f"sentinel-2{image.platform}"}
        said |= {"datetime": f"{image.taken + timedelta(minutes=4):%Y-%m-%dT%H:%M:%S}.556Z"}
    item["collection"] = collection.collection
    item["geometry"], item["bbox"] = shapely.geometry.mapping(OUTLINE), list(OUTLINE.bounds)
    item["properties"] |= said
    return item


def items_like(collection: Collection, images: Sequence[Image], baseline: str = "05.10") -> Iterator[dict[str, Any]]:
    """The items of images as a collection has them."""
    return (item_like(collection, image, baseline) for image in images)
