"""The images of sites in all years, as everything that shows them finds them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.imagery.reader import ImagerySet, SiteImage, open_imagery
from minemap_assets.publication.published import by_region_and_year


class ImageArchive:
    """The composites of all regions and years. Indexes are opened when they are first asked for, and kept; pixels are
    not.
    """

    def __init__(self, context: InputContext) -> None:
        self._parts = by_region_and_year(context, COMPOSITES)
        self._sets: dict[tuple[str, int], ImagerySet] = {}
        self._rows: dict[tuple[str, int], dict[str, int]] = {}

    @cached_property
    def years(self) -> tuple[int, ...]:
        """Years of which there is any imagery."""
        return tuple(sorted({year for _, year in self._parts}))

    def years_of(self, region: str, site_id: str) -> tuple[int, ...]:
        """Years in which a site has pixels."""
        return tuple(year for year in self.years if site_id in self._places(region, year))

    def entry(self, region: str, site_id: str, year: int) -> Mapping[str, Any]:
        """The row of the image index for a site that has pixels in a year."""
        row = self._set(region, year).index.iloc[self._places(region, year)[site_id]]
        return {str(name): value for name, value in row.items()}

    def redistributable(self, region: str, site_id: str, year: int) -> bool:
        """Whether the terms of an image allow passing its pixels on."""
        flags = self._set(region, year).index["redistributable"]
        return bool(flags.iloc[self._places(region, year)[site_id]])

    def read(self, region: str, site_id: str, year: int) -> SiteImage:
        """The pixels of a site in a year. Raises `NotFoundError` where it has none."""
        return self._set(region, year).read(site_id)

    def _set(self, region: str, year: int) -> ImagerySet:
        key = (region, year)
        if key not in self._sets:
            self._sets[key] = open_imagery(self._parts[key])
        return self._sets[key]

    def _places(self, region: str, year: int) -> Mapping[str, int]:
        """Places of the sites in the index of a region and year; empty where there is no imagery."""
        key = (region, year)
        if key not in self._parts:
            return {}
        if key not in self._rows:
            self._rows[key] = {site_id: place for place, site_id in enumerate(self._set(region, year).site_ids)}
        return self._rows[key]
