"""Sites as a map shows them, beside their labels: chips blended, and no ground counted twice."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.chips.labels import IGNORE
from minemap_assets.chips.reader import ChipSet
from minemap_assets.geo.grid import from_columns, to_columns
from minemap_assets.geo.vector import WGS84
from minemap_assets.segmentation.blending import ChipProbability, blend
from minemap_assets.segmentation.scale import TOP
from minemap_assets.segmentation.training_set import ChipRef
from minemap_assets.sites.cells import SiteCell, site_cells
from minemap_assets.sites.windows import window_outlines

Pixels = npt.NDArray[np.uint16]
Probabilities = npt.NDArray[np.float32]
ProbabilityOf = Callable[[Iterable[Pixels]], Iterator[Probabilities]]
"""From chips (band, row, column) to what is said of each pixel, 0 to 1 (row, column), in the same order."""


@dataclass(frozen=True, eq=False)
class SitePicture:
    """A labelled site on its grid, arrays (row, column) of pixels `metres` a side.

    `stored` is uint8 probability, 0 to 254, 255 = not observed; `labels` are 0, 1, 255 = ignore; `owned` is true where
    no other site's window has the nearer centre. `chip_set` is the number of the chip set that it came from.
    """

    site_id: str
    group: str
    split: str
    product: str
    chip_set: int
    metres: float
    stored: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    owned: npt.NDArray[np.bool_]

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """True for each pixel that scores are of: owned, observed, its label known."""
        known: npt.NDArray[np.bool_] = self.owned & (self.stored <= TOP) & (self.labels <= 1)
        return known


def labelled_cells(chips: Sequence[ChipSet], product: str) -> dict[str, SiteCell]:
    """Grid and owned ground of every site with chips of a product, as far as its chips reach.

    A site that several chip sets hold, because their regions overlap, is one site.
    """
    grids: dict[str, GeoBox] = {}
    for chip_set in chips:
        if chip_set.product == product and len(chip_set):
            grids = _grids(chip_set.index) | grids
    columns = [to_columns(grid) for grid in grids.values()]
    facts = {name: [getattr(c, name) for c in columns] for name in ("crs", "transform", "width", "height")}
    outlines = window_outlines(list(grids.values()))
    return site_cells(gpd.GeoDataFrame({"site_id": list(grids), **facts}, geometry=outlines, crs=WGS84))


def site_pictures(
    chips: Sequence[ChipSet],
    refs: Sequence[ChipRef],
    probability_of: ProbabilityOf,
    cells: Mapping[str, SiteCell] | None = None,
) -> Iterator[SitePicture]:
    """The sites of some chips of one product, one at a time, in the order of the chips.

    Chips are read as they are asked for, so that memory holds one site and what `probability_of` reads ahead. `cells`
    are those of `labelled_cells` of all chips, which are made where they are not given: whose ground is whose does not
    hang on `refs`.
    """
    if not refs:
        return
    owners = labelled_cells(chips, refs[0].product) if cells is None else cells
    sites = sites_of_refs(refs)
    ordered = [ref for its in sites for ref in its]
    found = iter(probability_of(chips[ref.chip_set].pixels(ref.chip) for ref in ordered))
    for its in sites:
        yield _picture(chips, its, islice(found, len(its)), owners[its[0].site_id])


def sites_of_refs(refs: Sequence[ChipRef]) -> list[list[ChipRef]]:
    """The chips of each site; of a site that several chip sets hold, those of the first."""
    found: dict[str, list[ChipRef]] = {}
    for ref in refs:
        its = found.setdefault(ref.site_id, [])
        if not its or its[0].chip_set == ref.chip_set:
            its.append(ref)
    return list(found.values())


@dataclass(frozen=True)
class Corner:
    """Where a chip's first pixel lies on its site's grid."""

    row: int
    column: int

    def over(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """The chip's part of an array (row, column) of its site."""
        return np.s_[self.row : self.row + shape[-2], self.column : self.column + shape[-1]]


def corner(chips: Sequence[ChipSet], ref: ChipRef) -> Corner:
    """Where a chip lies on its site's grid."""
    row = chips[ref.chip_set].index.iloc[ref.chip]
    return Corner(int(row["row"]), int(row["column"]))


def _picture(
    chips: Sequence[ChipSet], refs: Sequence[ChipRef], found: Iterable[Probabilities], cell: SiteCell
) -> SitePicture:
    height, width = (int(side) for side in cell.grid.shape)
    labels = np.full((height, width), IGNORE, dtype=np.uint8)

    def parts() -> Iterator[ChipProbability]:
        for ref, probability in zip(refs, found, strict=True):
            at, known = corner(chips, ref), chips[ref.chip_set].labels(ref.chip)
            # a pixel that was not observed has no label
            observed = known != IGNORE
            labels[at.over(known.shape)][observed] = known[observed]
            yield ChipProbability(at.row, at.column, probability, observed)

    stored = blend(height, width, parts())
    first = refs[0]
    return SitePicture(
        site_id=first.site_id,
        group=first.group,
        split=first.split,
        product=first.product,
        chip_set=first.chip_set,
        metres=float(abs(cell.grid.affine.a)),
        stored=stored,
        labels=labels,
        owned=cell.owned(cell.grid),
    )


def _grids(index: gpd.GeoDataFrame) -> dict[str, GeoBox]:
    """The square grid of each site, from the corners of its chips."""
    table = pd.DataFrame(
        {
            "site_id": index["site_id"].astype(str),
            "down": index["row"] + index["height"],
            "right": index["column"] + index["width"],
        }
    )
    side = table.groupby("site_id", sort=False)[["down", "right"]].max().max(axis=1)
    found: dict[str, GeoBox] = {}
    for row in index.drop_duplicates("site_id").itertuples(index=False):
        chip = from_columns(row.crs, row.transform, row.width, row.height)
        affine = chip.affine * Affine.translation(-row.column, -row.row)
        size = int(side[str(row.site_id)])
        found[str(row.site_id)] = GeoBox((size, size), affine, chip.crs)
    return found
