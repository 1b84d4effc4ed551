"""Quads as a writer of GeoTIFF may have tagged them: what their colours and extra samples say changes no pixel."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from pyproj import Transformer
from rasterio.enums import ColorInterp

from minemap_assets.errors import PermanentError
from minemap_assets.imagery.files.images import read_index
from minemap_assets.imagery.seasons import SeasonRule
from minemap_assets.imagery.source import Composite
from minemap_assets.imagery.sources.archive.index import ArchiveRules, index_archive
from minemap_assets.imagery.sources.archive.source import ArchiveSource
from minemap_assets.imagery.sources.planet.api_answers import KEY_VARIABLE
from planet_trial import site, source
from planet_world import BANDS, MosaicSpec, Running, served, write_mosaics
from servers.planet_faults import Account

pytestmark = pytest.mark.integration

SITE = site(-0.0135, 1.4883, 64)
SEASON = SeasonRule().season(2018)
LEVELS = (400.0, 900.0, 1600.0, 2800.0)
SLOPES = ((1.0, 0.5), (-1.5, 0.5), (0.5, -2.0), (2.0, 1.0))
"""Digital numbers per pixel of 4.78 m to the east and to the south, by band."""

UNDER = 9_000
"""What lies under pixels that are not valid, where a band says so."""


@dataclass(frozen=True)
class Writing:
    """How a quad is tagged: `alpha` flags the last band, the first extra one (near infrared in an RGB file) or none, or
    there is no band of validity; `nodata` is the tag.
    """

    photometric: str
    alpha: str
    nodata: int | None

    @property
    def spec(self) -> MosaicSpec:
        name = f"{self.photometric}_{self.alpha}_{self.nodata}".lower()
        return MosaicSpec(f"planet_medres_normalized_analytic_{name}_mosaic", date(2018, 6, 1), date(2018, 12, 1))


ALPHAS = ("last", "first", "premultiplied", "unflagged", "none", "none_flagged")
WRITINGS = [
    Writing(photometric, alpha, (None, 0)[(row + column) % 2])
    for (row, photometric), (column, alpha) in product(enumerate(("MINISBLACK", "RGB")), enumerate(ALPHAS))
]
"""Every photometric tag with every alpha, each alpha with and without a nodata tag."""

SHORT = MosaicSpec("planet_medres_normalized_analytic_short_mosaic", date(2018, 6, 1), date(2018, 12, 1))


def truth(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Reflectance x 10,000 at places of EPSG:3857 (band, ...)."""
    left, top = SHORT.grid(SHORT.quads.touching(SITE)[0]).affine @ (0, 0)
    columns, rows = (x - left) / 4.777314, (top - y) / 4.777314
    return np.stack([level + e * columns + s * rows for level, (e, s) in zip(LEVELS, SLOPES, strict=True)])


def missing(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """What the quads do not show: all beyond a slanted edge through the site."""
    east, north = Transformer.from_crs(SITE.crs, 3857, always_xy=True).transform(*SITE.extent.centroid.coords[0])
    return np.asarray((x - east) + 0.4 * (y - north) > 35.0)


def write(root: Path, writing: Writing) -> None:
    for quad in writing.spec.quads.touching(SITE):
        grid = writing.spec.grid(quad)
        rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
        x, y = grid.affine @ (columns, rows)
        hidden = missing(x, y)
        planes = np.rint(truth(x, y)).astype(np.uint16)
        with_validity = not writing.alpha.startswith("none")
        planes[:, hidden] = UNDER if with_validity else 0
        if with_validity:
            planes = np.concatenate([planes, np.where(hidden, 0, 65_535).astype(np.uint16)[None]])
        options = {"first": "YES", "none_flagged": "YES", "premultiplied": "PREMULTIPLIED"}.get(writing.alpha)
        path = root / writing.spec.id / f"{quad}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        profile = {"driver": "GTiff", "count": len(planes), "height": 256, "width": 256, "dtype": "uint16"}
        tags = {"photometric": writing.photometric, **({"ALPHA": options} if options else {"ALPHA": "NO"})}
        place = {"crs": "EPSG:3857", "transform": grid.affine, "nodata": writing.nodata}
        with rasterio.open(path, "w", **profile, **tags, **place) as target:
            if writing.alpha == "last":
                target.colorinterp = [*target.colorinterp[:-1], ColorInterp.alpha]
            target.write(planes)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    for writing in WRITINGS:
        write(folder, writing)
    last = WRITINGS[0].spec
    for path in (folder / last.id).glob("*.tif"):
        with rasterio.open(path) as given:
            profile, planes = given.profile | {"count": 3}, given.read([1, 2, 3])
        short = folder / SHORT.id / path.name
        short.parent.mkdir(exist_ok=True)
        with rasterio.open(short, "w", **profile) as target:
            target.write(planes)
    write_mosaics(folder, [SHORT, *(writing.spec for writing in WRITINGS)])
    return folder


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Running]:
    with served(root) as running:
        yield running


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, Account.GOOD)


def check(found: Composite) -> None:
    """Away from the edge a digital number from the truth; at the edge what lies under missing pixels has no say."""
    rows, columns = np.mgrid[: SITE.shape[0], : SITE.shape[1]] + 0.5
    x, y = Transformer.from_crs(SITE.crs, 3857, always_xy=True).transform(*(SITE.affine @ (columns, rows)))
    wanted = truth(np.asarray(x), np.asarray(y))[[BANDS.index(band) for band in found.bands]]
    far = [~missing(x + dx, y + dy) for dx in (-12, 0, 12) for dy in (-12, 0, 12)]
    inside = np.logical_and.reduce(far)
    seen = (found.pixels > 0).all(axis=0)
    assert inside.sum() > 500
    assert seen[inside].all()
    assert not seen[missing(x - 12, y - 12) & missing(x, y)].any()
    apart = np.abs(found.pixels - wanted)
    assert apart[:, inside].max() <= 1.0
    assert apart[:, seen].max() <= 6.0, "one pixel's slope"


@pytest.mark.parametrize("writing", WRITINGS, ids=lambda one: one.spec.name.split("analytic_")[1])
def test_pixels_are_the_same_however_a_quad_is_tagged(
    root: Path, server: Running, tmp_path: Path, writing: Writing
) -> None:
    planet = source(server, tmp_path, name_contains=writing.spec.name)
    ours = planet.read(SITE, SEASON, BANDS)
    check(ours)
    check(planet.read(SITE, SEASON, ("red",)))
    report = index_archive(
        str(root / writing.spec.id), name="quads", product="planet-nicfi", rules=ArchiveRules(date="2018-06/2018-11")
    )
    assert not report.refused
    archive = ArchiveSource("planet-nicfi", [read_index("quads", str(root / writing.spec.id), report.features)])
    np.testing.assert_array_equal(ours.pixels, archive.read(SITE, SEASON, BANDS).pixels)


def test_a_band_that_is_missing_is_named(root: Path, server: Running, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"has 3 bands called .* where blue, green, red, nir are needed"):
        source(server, tmp_path, name_contains=SHORT.name).read(SITE, SEASON, BANDS)
    report = index_archive(
        str(root / SHORT.id), name="quads", product="planet-nicfi", rules=ArchiveRules(date="2018-06/2018-11")
    )
    assert len(report.refused) == len(list((root / SHORT.id).glob("*.tif")))


def test_what_a_person_says_of_the_bands_rescues(server: Running, tmp_path: Path) -> None:
    """The bands of a mosaic that names them otherwise are used in the order of the settings."""
    spec = next(one.spec for one in WRITINGS if one.photometric == "RGB" and one.alpha == "unflagged")
    settings = {"name_contains": spec.name, "bands": ("red", "green", "blue", "nir")}
    swapped = source(server, tmp_path / "a", **settings).read(SITE, SEASON, BANDS)
    plain = source(server, tmp_path / "b", name_contains=spec.name).read(SITE, SEASON, BANDS)
    np.testing.assert_array_equal(swapped.pixels[[2, 1, 0, 3]], plain.pixels)
