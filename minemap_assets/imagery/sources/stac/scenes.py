"""Scenes: what the source reads out of a STAC item, and which of several that show the same image it takes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.imagery.files.scene_names import baseline_of
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.sources.stac.config import Collection

if TYPE_CHECKING:
    import pystac

_TILE = re.compile(r"(?:MGRS-|T)?(\d{1,2}[A-Z]{3})")
_SENSED = re.compile(r"_S(\d{8}T\d{6})(?=_|$)")
_UNKNOWN_CLOUD = 0.0

SceneKey = tuple[str, str]
"""Collection and item id."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One tile of one overpass. `baseline` is written as 05.09 (empty where unknown), `cloud_cover` in percent;
    `corrected` is what the item says of the offset (None where it says nothing).
    """

    collection: Collection
    item: "pystac.Item"
    id: str
    moment: datetime
    tile: str
    platform: str
    sensed: str
    baseline: str
    cloud_cover: float
    corrected: bool | None
    geometry: BaseGeometry = field(repr=False)

    @property
    def key(self) -> SceneKey:
        """The scene among those of all collections."""
        return self.collection.name, self.id

    @property
    def day(self) -> date:
        """Day of the overpass in UTC."""
        return self.moment.date()

    @property
    def overpass(self) -> tuple[str, str]:
        """Images of one overpass are parts of one picture: day and satellite."""
        return self.day.isoformat(), self.platform

    @property
    def image(self) -> tuple[str, ...]:
        """The same for every processing of the same image, in every collection."""
        return self.tile, *self.overpass, self.sensed

    @property
    def version(self) -> str:
        """Changes when the catalogue says that the item's files have."""
        said = self.item.properties
        return str(said.get("updated") or said.get("s2:generation_time") or "")


def parse_scene(item: "pystac.Item", collection: Collection) -> Scene | None:
    """What an item says of itself; None where it has neither date nor outline.

    Assets that the collection's settings do not name are dropped from the item, for the sake of memory.
    """
    said = item.properties
    named = {collection.assets.classes, *collection.assets.bands.values()}
    item.assets = {key: asset for key, asset in item.assets.items() if key in named}
    moment = item.datetime or _moment(said.get("start_datetime"))
    if moment is None or item.geometry is None:
        return None
    product = str(said.get("s2:product_uri") or item.id)
    corrected = said.get("earthsearch:boa_offset_applied")
    return Scene(
        collection=collection,
        item=item,
        id=item.id,
        moment=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
        tile=_tile(said) or item.id,
        platform=str(said.get("platform") or "").lower().replace("sentinel-", "s"),
        sensed=_first(_SENSED, str(said.get("s2:datastrip_id") or "")),
        baseline=_baseline(said, product),
        cloud_cover=float(said.get("eo:cloud_cover") or _UNKNOWN_CLOUD),
        corrected=None if corrected is None else bool(corrected),
        geometry=shapely.geometry.shape(item.geometry),
    )


def without_duplicates(scenes: Iterable[Scene]) -> list[Scene]:
    """One scene an image, of the newest processing (then by id), in order of time; earlier collections go first."""
    best: dict[tuple[str, ...], Scene] = {}
    for scene in scenes:
        known = best.get(scene.image)
        if known is None or (
            known.collection == scene.collection and (known.baseline, known.id) < (scene.baseline, scene.id)
        ):
            best[scene.image] = scene
    return sorted(best.values(), key=lambda s: (s.overpass, s.tile, s.id))


@dataclass(frozen=True, order=True)
class Gap:
    """Days without an image, both ends included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


def gaps(scenes: Sequence[Scene], season: Season, points: Sequence[shapely.Point], longest: int) -> list[Gap]:
    """Stretches of the season of more than `longest` days in which a point has no image, sorted.

    `points` (EPSG:4326) stand for the area: a stretch counts where any of them is missing, so that one covered tile
    does not hide another's gap.
    """
    found = set()
    before, after = season.start - timedelta(days=1), season.end
    for point in points:
        days = sorted({s.day for s in scenes if season.start <= s.day < season.end and s.geometry.intersects(point)})
        edges = [before, *days, after]
        for left, right in pairwise(edges):
            if (right - left).days - 1 > longest or not days:
                found.add(Gap(left + timedelta(days=1), right - timedelta(days=1)))
    return sorted(found)


def _tile(said: Mapping[str, object]) -> str:
    parts = (said.get("mgrs:utm_zone"), said.get("mgrs:latitude_band"), said.get("mgrs:grid_square"))
    for text in (said.get("s2:mgrs_tile"), said.get("grid:code"), "".join(str(p) for p in parts if p is not None)):
        match = _TILE.fullmatch(str(text or ""))
        if match:
            return match[1].zfill(5)
    return ""


def _baseline(said: Mapping[str, object], product: str) -> str:
    text = str(said.get("s2:processing_baseline") or said.get("processing:version") or "")
    match = re.fullmatch(r"(\d{1,2})\.(\d{1,2})(?:\.\d+)?", text)
    return f"{int(match[1]):02d}.{match[2].ljust(2, '0')}" if match else baseline_of(product)


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
