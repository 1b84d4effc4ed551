"""The desk at which a person outlines mines: places with an image of the year that the model learns from, and what was
drawn on them.

A page draws in pixels of an image; here they become degrees and back. What it sends may come twice, where an answer was
lost, and does the same once.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import BadInputError, NotFoundError
from minemap_assets.imagery.reader import SiteImage
from minemap_assets.project.project import Project
from minemap_assets.publication.labelling.answers import LONGEST_NOTE
from minemap_assets.publication.labelling.outline_places import Place, Places, ScanPlaces, labels_of
from minemap_assets.publication.labelling.outlined_sites import (
    Outline,
    add_outline,
    corners_of,
    outline_of,
    read_outlines,
    register_outlines,
    remove_outline,
)
from minemap_assets.publication.site_images import as_webp, common_stretch, natural_colour

SIDE = 2048
"""Pixels on the longer side of a picture, at most."""

_QUALITY = 92


@dataclass(eq=False)
class Desk:
    """One person's outlines, on places of some regions; saved ones are registered under a licence."""

    project: Project
    places: Places
    author: str
    licence: str
    _kept: LoadingCache[tuple[str, str], dict[int, SiteImage]] = field(default_factory=lambda: LoadingCache(4))
    _writing: Any = field(default_factory=threading.Lock)

    def state(self) -> dict[str, Any]:
        """What the page begins with. Pages of one `box` send what was not stored on each other's behalf."""
        listed = list(self.places.listed)
        served = (self.project.lake.store.root, self.places.kind, *self.places.regions)
        return {
            "author": self.author,
            "kind": self.places.kind,
            "box": hashlib.sha256(repr(served).encode()).hexdigest()[:12],
            "places": self._told(listed),
        }

    def _told(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        """Places as the page lists them, with how many outlines meet each."""
        drawn = shapely.STRtree([one.polygon for one in read_outlines(self.project.lake.store)])
        met = drawn.query([one.ground for one in places], predicate="intersects")[0]
        counts = np.bincount(met, minlength=len(places))
        return [
            {
                "region": one.region,
                "site": one.name,
                "year": one.year,
                "labelled": one.labelled,
                "outlines": int(count),
                "score": one.score,
            }
            for one, count in zip(places, counts, strict=True)
        ]

    def at(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """The place around coordinates. Raises `BadInputError` where they are none, or no scan shows that ground."""
        try:
            longitude, latitude = (float(str(words.get(axis, ""))) for axis in ("longitude", "latitude"))
        except ValueError as error:
            raise BadInputError("give a longitude and a latitude in degrees, such as 109.1234, 21.5678") from error
        if not isinstance(self.places, ScanPlaces):
            raise NotFoundError("coordinates can be looked up on scanned ground alone: minemap label outline --scan")
        return {"places": self._told([self.places.at(longitude, latitude)])}

    def site(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """A place: size of its image in pixels, its years, what was outlined there, and ground truth that is known."""
        place = self._place(words)
        images = self.images_of(place)
        image = images[place.year]
        rows, columns = image.clear_count.shape
        drawn = [one for one in read_outlines(self.project.lake.store) if one.polygon.intersects(place.ground)]
        own = shapely.union_all([one.polygon for one in drawn])
        labels = labels_of(self.project, place.region)
        near = [shape for shape in labels if not shapely.intersects(shape, own)]
        rings = [pixels_of(image, ring) for ring in corners_of(near)]
        return {
            "width": columns,
            "height": rows,
            "metres": abs(image.grid.affine.a),
            "year": place.year,
            "years": sorted(images),
            "outlines": [
                {
                    "id": one.outline_id,
                    "author": one.author,
                    "date": one.date,
                    "note": one.note,
                    "ring": pixels_of(image, np.array(one.ring)).tolist(),
                }
                for one in drawn
            ],
            "known": [ring.tolist() for ring in rings if _meets(ring, columns, rows)],
        }

    def picture(self, region: str, site: str, year: int) -> bytes:
        """A site's image as WebP. Raises `NotFoundError` where there is none."""
        images = self.images_of(self._place({"region": region, "site": site}))
        if year not in images:
            raise NotFoundError(f"there is no image of {site} in {year}; reload the page")
        stretch = common_stretch([one for one in images.values() if one.bands == images[year].bands])
        return as_webp(natural_colour(images[year], stretch, SIDE), _QUALITY)

    def save(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Store an outline and register it; it is ground truth once this returns. Raises `BadInputError`."""
        outline = self._outline(words)
        with self._writing:
            add_outline(self.project.lake.store, outline)
            self._registered(outline.year)
        return {"stored": True, "id": outline.outline_id}

    def remove(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """Take an outline back, from the ground truth too: that of an `id`, or one just drawn, by its corners. One that
        is gone stays gone.
        """
        place, name = self._place(words), words.get("id")
        outline_id = name if isinstance(name, str) else self._outline(words).outline_id
        with self._writing:
            gone = remove_outline(self.project.lake.store, outline_id)
            # also where it was gone: the request before this one may have ended between the two
            self._registered(place.year if gone is None else gone.year)
        return {"stored": True}

    def _registered(self, year: int) -> None:
        register_outlines(self.project.lake.store, year, self.licence)

    def _outline(self, words: Mapping[str, Any]) -> Outline:
        """What was drawn on the image of a place. Raises `BadInputError` where it is no outline."""
        place, note = self._place(words), words.get("note", "")
        if not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise BadInputError(f"a note has at most {LONGEST_NOTE} characters; write it shorter")
        image = self.images_of(place)[place.year]
        rows, columns = image.clear_count.shape
        if (words.get("width"), words.get("height")) != (columns, rows):
            raise BadInputError("the image has changed since this was drawn on it; reload the page and draw it again")
        return outline_of(
            _degrees(image, _ring(words.get("ring"))),
            region=place.region,
            place=place.name,
            year=place.year,
            author=self.author,
            date=datetime.now(UTC).date().isoformat(),
            note=" ".join(note.split()),
        )

    def _place(self, words: Mapping[str, Any]) -> Place:
        return self.places.find(str(words.get("region", "")), str(words.get("site", "")))

    def images_of(self, place: Place) -> dict[int, SiteImage]:
        """Images of a place by year."""
        return self._kept.get((place.region, place.name), lambda: self._load(place))

    def _load(self, place: Place) -> dict[int, SiteImage]:
        with self.project.lake.store.using():
            return self.places.images_of(place)


def _ring(given: object) -> np.ndarray[Any, Any]:
    """Corners (n, 2) in pixels (column, row). Raises `BadInputError` for anything else."""
    try:
        ring = np.array(given, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise BadInputError("an outline is a list of corners; reload the page") from error
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise BadInputError("an outline is a list of corners; reload the page")
    return ring


def _degrees(image: SiteImage, ring: np.ndarray[Any, Any]) -> list[tuple[float, float]]:
    """Corners in degrees. Raises `BadInputError` where one lies outside of the image."""
    rows, columns = image.clear_count.shape
    if (ring < 0.0).any() or (ring > [columns, rows]).any():
        raise BadInputError("a corner lies outside of the image, where nothing is to be seen; move it inside")
    x, y = _applied(image.grid.affine, ring).T
    east, north = pyproj.Transformer.from_crs(str(image.grid.crs), 4326, always_xy=True).transform(x, y)
    return list(zip(map(float, east), map(float, north), strict=True))


def pixels_of(image: SiteImage, ring: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Corners in degrees (n, 2) as pixels (column, row) of an image."""
    x, y = pyproj.Transformer.from_crs(4326, str(image.grid.crs), always_xy=True).transform(ring[:, 0], ring[:, 1])
    return np.round(_applied(~image.grid.affine, np.column_stack([x, y])), 2)


def _applied(transform: Affine, places: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Places (n, 2) in other coordinates."""
    x, y = places.T
    return np.column_stack(
        [transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f]
    )


def _meets(ring: np.ndarray[Any, Any], columns: int, rows: int) -> bool:
    """Whether a ring's bounds meet an image."""
    low, high = ring.min(0), ring.max(0)
    return bool((high >= 0.0).all() and (low <= [columns, rows]).all())
