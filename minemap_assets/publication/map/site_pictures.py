"""Pictures of sites for the map: WebP for each site and year that was imaged, within the bytes that there are."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from minemap_assets.geo.pictures import evenly
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.reader import SiteImage
from minemap_assets.publication.image_archive import ImageArchive
from minemap_assets.publication.map.picture_plan import PicturePlan, plan_pictures, sizes

FOLDER = "pictures"

QUALITY = 80

_MEASURED = 5
"""Sites whose pictures are measured before it is decided how large they may be."""


@dataclass(frozen=True)
class Place:
    """A site whose pictures are wanted, the region whose images it is seen in, and its mapped area for the order."""

    site_id: str
    region: str
    km2: float


@dataclass(frozen=True)
class SitePicture:
    """One picture: WebP, and whether the terms of its pixels allow passing it on."""

    site_id: str
    year: int
    webp: bytes
    redistributable: bool

    @property
    def name(self) -> str:
        """Path inside the map's folder."""
        return f"{FOLDER}/{self.site_id}/{self.year}.webp"


class SiteArchive:
    """Pictures of the images of all regions and years."""

    def __init__(self, context: InputContext) -> None:
        self._images = ImageArchive(context)
        self._measured: dict[tuple[str, int], tuple[SitePicture, ...]] = {}

    @property
    def years(self) -> tuple[int, ...]:
        """Years of which there is any imagery."""
        return self._images.years

    def years_of(self, place: Place) -> tuple[int, ...]:
        """Years in which a site has pixels."""
        return self._images.years_of(place.region, place.site_id)

    def measured(self, place: Place, pixels: int) -> tuple[SitePicture, ...]:
        """Pictures of a site in all of its years, kept for when they are asked for again."""
        key = (place.site_id, pixels)
        if key not in self._measured:
            self._measured[key] = tuple(self._drawn(place, pixels, self.years))
        return self._measured[key]

    def pictures(self, place: Place, pixels: int, years: Sequence[int]) -> Iterator[SitePicture]:
        """Pictures of a site in some of the years; the stretch is that of all of its years of one product."""
        known = self._measured.get((place.site_id, pixels))
        if known is None:
            yield from self._drawn(place, pixels, years)
        else:
            yield from (one for one in known if one.year in years)

    def _drawn(self, place: Place, pixels: int, years: Sequence[int]) -> Iterator[SitePicture]:
        from minemap_assets.publication.site_images import as_webp, common_stretch, natural_colour

        by_bands: dict[tuple[str, ...], list[tuple[int, SiteImage]]] = defaultdict(list)
        for year in self.years_of(place):
            image = self._images.read(place.region, place.site_id, year)
            by_bands[image.bands].append((year, image))
        for images in by_bands.values():
            stretch = common_stretch(image for _, image in images)
            for year, image in images:
                if year in years:
                    webp = as_webp(natural_colour(image, stretch, pixels), QUALITY)
                    free = self._images.redistributable(place.region, place.site_id, year)
                    yield SitePicture(place.site_id, year, webp, free)


def planned(archive: SiteArchive, places: Sequence[Place], pixels: int, budget: float) -> PicturePlan:
    """How large pictures may be, by what those of some sites take; smaller ones are tried where larger do not fit."""
    imaged = [place for place in places if archive.years_of(place)]
    if not imaged:
        return PicturePlan(pixels, (), 0)
    names = frozenset(evenly(sorted(place.site_id for place in imaged), _MEASURED))
    chosen = [place for place in imaged if place.site_id in names]
    mean_bytes: dict[int, float] = {}
    for size in sizes(pixels):
        found = [one for place in chosen for one in archive.measured(place, size)]
        mean_bytes[size] = sum(len(one.webp) for one in found) / len(found)
        plan = plan_pictures(mean_bytes, archive.years, len(imaged), budget)
        if len(plan.years) == len(archive.years) and plan.sites == len(imaged):
            break
    return plan


def write_pictures(
    archive: SiteArchive,
    places: Sequence[Place],
    plan: PicturePlan,
    put: Callable[[str, bytes], object],
    told: Callable[[int, int], object],
) -> Mapping[str, Mapping[int, bool]]:
    """Make the pictures of a plan: those of the largest sites where not all have some.

    Returns by site and year whether the terms allow passing the picture on.
    """
    imaged = [place for place in places if archive.years_of(place)]
    largest = sorted(imaged, key=lambda one: (-one.km2, one.site_id))[: plan.sites]
    found: dict[str, dict[int, bool]] = {}
    for number, place in enumerate(sorted(largest, key=lambda one: one.site_id), start=1):
        for picture in archive.pictures(place, plan.pixels, plan.years):
            put(picture.name, picture.webp)
            found.setdefault(place.site_id, {})[picture.year] = picture.redistributable
        told(number, len(largest))
    return found
