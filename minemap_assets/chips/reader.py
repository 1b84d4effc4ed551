"""Reading chips: what the model, and any reader outside the room, sees of a chips partition."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from minemap_assets.chips.store import LABELS, PIXELS
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.imagery.not_observed import read_not_observed
from minemap_assets.lake.manifests import digest
from minemap_assets.lake.partitions import Partition

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True)
class ChipPlace:
    """Where the first pixel of chip number `chip` lies on its site's grid."""

    chip: int
    row: int
    column: int


class ChipSet:
    """Chips of one region and product. Row `chip` of `index` is chip number `chip` of the arrays; `not_observed` says
    by site why one has no chips.
    """

    def __init__(
        self,
        name: str,
        index: gpd.GeoDataFrame,
        folder: Path,
        checksums: Mapping[str, str],
        not_observed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        facts = json.loads((folder / "zarr.json").read_text())["attributes"]
        self.name = name
        self.index = index
        self.not_observed = not_observed
        self.product: str = facts["product"]
        self.bands: tuple[str, ...] = tuple(facts["bands"])
        self.size: int = facts["size"]
        self._folder = folder
        self._checksums = checksums
        self._arrays: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.index)

    @property
    def labelled(self) -> bool:
        """True for training chips."""
        return "split" in self.index.columns

    def pixels(self, chip: int) -> npt.NDArray[np.uint16]:
        """Reflectance x 10,000 (band, row, column); 0 = not observed."""
        return np.asarray(self._array(PIXELS)[chip], dtype=np.uint16)

    def labels(self, chip: int) -> npt.NDArray[np.uint8]:
        """Labels (row, column): 0, 1, 255 = ignore. Raises `BadInputError` where the chips have none."""
        if not self.labelled:
            raise BadInputError(f"{self.name} holds no labels; use training_chips")
        return np.asarray(self._array(LABELS)[chip], dtype=np.uint8)

    def places(self, site_id: str) -> tuple[ChipPlace, ...]:
        """Chips of one site, in order; none where it has no chip."""
        return tuple(self._places[row] for row in self._rows.get(site_id, []))

    def site_content(self, site_id: str) -> str:
        """Hash of a site's pixels and of where its chips lie, without reading them."""
        parts = [
            [self._checksums[f"chips.zarr/{PIXELS}/c/{place.chip}/0/0/0"], place.row, place.column]
            for place in self.places(site_id)
        ]
        return digest([self.product, list(self.bands), parts])

    @cached_property
    def _places(self) -> list[ChipPlace]:
        columns = (self.index[name].to_list() for name in ("chip", "row", "column"))
        return [ChipPlace(int(chip), int(row), int(column)) for chip, row, column in zip(*columns, strict=True)]

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, site_id in enumerate(self.index["site_id"]):
            places.setdefault(str(site_id), []).append(place)
        return places

    @cached_property
    def _group(self) -> "zarr.Group":
        import zarr

        return zarr.open_group(self._folder, mode="r", zarr_format=3)

    def _array(self, name: str) -> Any:
        # Opening an array reads its metadata file; a chip is read thousands of times.
        if name not in self._arrays:
            self._arrays[name] = self._group[name]
        return self._arrays[name]


def open_chips(partition: Partition) -> ChipSet:
    """The chips of a partition of `chips` or `training_chips`."""
    return ChipSet(
        str(partition.manifest.ref),
        read_geoparquet(partition.file("index.parquet")),
        partition.tree("chips.zarr"),
        {stored.name: stored.sha256 for stored in partition.manifest.files},
        read_not_observed(partition),
    )
