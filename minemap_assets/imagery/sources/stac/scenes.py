"""Scenes: what the source reads out of a STAC item, which items show the same image, and which can be read at all."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import shapely
from shapely.geometry.base import BaseGeometry

from minemap_assets.imagery.files.scene_names import baseline_of
from minemap_assets.imagery.sources.stac.config import Collection

if TYPE_CHECKING:
    import pystac

_TILE = re.compile(r"(?:MGRS-|T)?(\d{1,2}[A-Z]{3})")
_SENSED = re.compile(r"_S(\d{8}T\d{6})(?=_|$)")
_TAKEN = re.compile(r"(?:^|_)(?:MSIL(?:1C|2A)|GS2[A-Z])_(\d{8}T\d{6})(?=_|$)")
_ORBIT = re.compile(r"_R(\d{3})(?=_|$)")
_UNKNOWN_CLOUD = 0.0

_SAME_TAKE = timedelta(minutes=45)
"""One satellite is over a tile for seconds, and comes back after 100 minutes at the earliest. Catalogues give a tile's
own time or the beginning of its datatake, which is some minutes earlier (15 for Earth Search's 38XNF of 2025-04-22).
"""

_SAME_STRIP = timedelta(seconds=10)
"""Processings of one datastrip begin it at the same second; a tile, which two of them may share, takes 15 to scan."""

SceneKey = tuple[str, str]
"""Collection and item id."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One tile of one overpass.

    `moment` is when the overpass began (of the datatake where the item says so), `sensed` the beginning of the
    datastrip as 20200610T100355, `orbit` the relative orbit (None where unknown). `baseline` is written as 05.09 (empty
    where unknown), `cloud_cover` in percent; `corrected` is what the item says of the offset (None where it says
    nothing). `alternatives` are other copies of the same image, in the order in which they should be tried.
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
    orbit: int | None = None
    alternatives: "tuple[Scene, ...]" = field(default=(), repr=False)

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
    def version(self) -> str:
        """Changes when the catalogue says that the item's files have."""
        said = self.item.properties
        return str(said.get("updated") or said.get("s2:generation_time") or "")


def parse_scene(item: "pystac.Item", collection: Collection) -> Scene | None:
    """What an item says of itself; None where it has neither date nor outline.

    Assets that the collection's settings do not name are dropped from the item, for the sake of memory.
    """
    said = item.properties
    named = collection.assets.keys
    item.assets = {key: asset for key, asset in item.assets.items() if key in named}
    moment = item.datetime or _moment(said.get("start_datetime"))
    if moment is None or item.geometry is None:
        return None
    product = str(said.get("s2:product_uri") or item.id)
    take = str(said.get("s2:datatake_id") or said.get("eopf:datatake_id") or "")
    strip = str(said.get("s2:datastrip_id") or said.get("eopf:datastrip_id") or "")
    taken = _instant(_first(_TAKEN, take) or _first(_TAKEN, product))
    corrected = said.get("earthsearch:boa_offset_applied")
    return Scene(
        collection=collection,
        item=item,
        id=item.id,
        moment=taken or (moment if moment.tzinfo else moment.replace(tzinfo=UTC)),
        tile=_tile(said) or item.id,
        platform=str(said.get("platform") or "").lower().replace("sentinel-", "s"),
        sensed=_first(_SENSED, strip),
        baseline=_baseline(said, product),
        cloud_cover=float(said.get("eo:cloud_cover") or _UNKNOWN_CLOUD),
        corrected=None if corrected is None else bool(corrected),
        geometry=shapely.geometry.shape(item.geometry),
        orbit=_orbit(said, product),
    )


def unreadable(scene: Scene, bands: Sequence[str]) -> str:
    """Why these bands of a scene cannot be read, as far as its item tells; empty where it promises that they can."""
    assets = scene.collection.assets
    keys = [assets.bands[band] for band in bands if band in assets.bands]
    if not keys:
        return ""
    keys += [assets.classes] if assets.classes else []
    lacking = [key for key in keys if key not in scene.item.assets]
    if lacking:
        return f"the item has no asset {', '.join(lacking)}"
    for key in keys:
        href = str(scene.item.assets[key].href)
        if not scene.collection.reads(href):
            return f"its {key} is {href}, which cannot be read the way this collection's files are"
    return ""


def images_of(scenes: Iterable[Scene]) -> list[Scene]:
    """One scene an image, with the other copies as its alternatives, in order of time.

    Earlier collections (in the order in which `scenes` names them) go first, in each the newest processing, then the
    later id.
    """
    places: defaultdict[tuple[str, str], list[list[Scene]]] = defaultdict(list)
    ranks: dict[str, int] = {}
    for scene in scenes:
        ranks.setdefault(scene.collection.name, len(ranks))
        there = places[scene.tile, scene.platform]
        same = next((image for image in there if _same_image(image[0], scene)), None)
        if same is None:
            there.append([scene])
        else:
            same.append(scene)
    chosen = []
    for image in (image for there in places.values() for image in there):
        newest = sorted(image, key=lambda s: (s.baseline, s.id), reverse=True)
        first, *others = sorted(newest, key=lambda s: ranks[s.collection.name])
        chosen.append(replace(first, alternatives=tuple(others)))
    return sorted(chosen, key=lambda s: (s.overpass, s.tile, s.sensed, s.id))


def is_copy(scene: Scene, other: Scene) -> bool:
    """Whether both show the same image, in whatever processing and collection."""
    return (scene.tile, scene.platform) == (other.tile, other.platform) and _same_image(scene, other)


def _same_image(one: Scene, other: Scene) -> bool:
    """Whether two scenes of a tile and satellite are one image: where two datastrips meet, one take has two of them."""
    if abs(one.moment - other.moment) > _SAME_TAKE:
        return False
    begins = _instant(one.sensed), _instant(other.sensed)
    return begins[0] is None or begins[1] is None or abs(begins[0] - begins[1]) <= _SAME_STRIP


def _tile(said: Mapping[str, object]) -> str:
    parts = (said.get("mgrs:utm_zone"), said.get("mgrs:latitude_band"), said.get("mgrs:grid_square"))
    for text in (said.get("s2:mgrs_tile"), said.get("grid:code"), "".join(str(p) for p in parts if p is not None)):
        match = _TILE.fullmatch(str(text or ""))
        if match:
            return match[1].zfill(5)
    return ""


def _orbit(said: Mapping[str, object], product: str) -> int | None:
    text = str(said.get("sat:relative_orbit") or _first(_ORBIT, product))
    return int(text) if text.isdigit() else None


def _baseline(said: Mapping[str, object], product: str) -> str:
    text = str(said.get("s2:processing_baseline") or said.get("processing:version") or "")
    match = re.fullmatch(r"(\d{1,2})\.(\d{1,2})(?:\.\d+)?", text)
    return f"{int(match[1]):02d}.{match[2].ljust(2, '0')}" if match else baseline_of(product)


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _instant(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
