"""Simulated NICFI quads, and the stand-in service that hands them out.

Quads are rendered into the folder that `servers/planet_basemaps.py` serves.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox

from minemap_assets.imagery.basemaps.quads import QuadGrid, QuadId
from minemap_assets.imagery.seasons import Season
from servers.planet_faults import Fault

SUPPORT = Path(__file__).parent
BANDS = ("blue", "green", "red", "nir")
NICFI_QUADS = 2048
NICFI_PIXELS = 4096

Weather = Callable[[npt.NDArray[np.uint16]], npt.NDArray[np.uint16]]
"""Changes the pixels (band, row, column) of a quad."""


@dataclass(frozen=True)
class MosaicSpec:
    """A mosaic to serve: its name, its days (the last not included), and pixels a quad's side."""

    name: str
    start: date
    end: date
    quad_pixels: int = 256
    series: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """An id like the service's own, always the same for a name."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.name))

    @property
    def quads(self) -> QuadGrid:
        """Quads with the pixel size of NICFI."""
        return QuadGrid(NICFI_QUADS * NICFI_PIXELS // self.quad_pixels)

    def grid(self, quad: QuadId) -> GeoBox:
        """The pixels of a quad."""
        left, _, _, top = self.quads.box(quad).bounds
        size = self.quads.metres / self.quad_pixels
        return GeoBox((self.quad_pixels, self.quad_pixels), Affine(size, 0, left, 0, -size, top), "EPSG:3857")

    @property
    def record(self) -> dict[str, Any]:
        """What `mosaics.json` says of it."""
        return {
            "id": self.id,
            "name": self.name,
            "first_acquired": f"{self.start}T00:00:00.000Z",
            "last_acquired": f"{self.end}T00:00:00.000Z",
            "bbox": [-180, -34.161818157002, 180, 30.145127179625],
            "quad_pixels": self.quad_pixels,
            **({"series": self.series} if self.series else {}),
            **dict(self.extra),
        }


def monthly(year: int, month: int, **more: Any) -> MosaicSpec:
    """A month's mosaic under its NICFI name."""
    end = date(year + month // 12, month % 12 + 1, 1)
    return MosaicSpec(f"planet_medres_normalized_analytic_{year}-{month:02d}_mosaic", date(year, month, 1), end, **more)


def write_quad(
    path: Path, pixels: npt.NDArray[np.uint16], grid: GeoBox, bands: Sequence[str | None] = BANDS, alpha: bool = True
) -> None:
    """Write (band, row, column) as a tiled GeoTIFF with an alpha band that is 0 where all bands are 0."""
    import rasterio
    from rasterio.enums import ColorInterp

    path.parent.mkdir(parents=True, exist_ok=True)
    planes = list(pixels)
    colours = [ColorInterp.gray] + [ColorInterp.undefined] * (len(planes) - 1)
    if alpha:
        planes.append(np.where((pixels > 0).any(axis=0), 65535, 0).astype(np.uint16))
        colours.append(ColorInterp.alpha)
    profile = {
        "driver": "GTiff",
        "count": len(planes),
        "height": grid.shape[0],
        "width": grid.shape[1],
        "dtype": "uint16",
        "crs": str(grid.crs),
        "transform": grid.affine,
        "compress": "DEFLATE",
        "tiled": True,
        "blockxsize": 128,
        "blockysize": 128,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.colorinterp = colours
        target.write(np.stack(planes))
        target.descriptions = (*bands, *([None] * (len(planes) - len(bands))))


def render_quads(
    root: Path, mosaics: Sequence[MosaicSpec], areas: Sequence[GeoBox], weather: Mapping[str, Weather] | None = None
) -> None:
    """Render the tiny world's quads under some grids for every mosaic, and write `mosaics.json`.

    `weather` maps mosaic names, or `name/x-y` for one quad, to what is done to the pixels.
    """
    from minemap_assets.simulation.built_in_worlds import load_world
    from minemap_assets.simulation.source import SimulatedSource

    source = SimulatedSource(load_world("tiny"), "planet-nicfi")
    ground: dict[Any, npt.NDArray[np.uint16]] = {}
    for spec in mosaics:
        for quad in sorted({quad for area in areas for quad in spec.quads.touching(area)}):
            season = Season(spec.start.year, spec.start, spec.end)
            key = (spec.start.year, spec.quads, quad)
            if key not in ground:
                ground[key] = source.read(spec.grid(quad), season, BANDS).pixels
            change = (weather or {}).get(f"{spec.name}/{quad}") or (weather or {}).get(spec.name)
            pixels = change(ground[key].copy()) if change else ground[key]
            write_quad(root / spec.id / f"{quad}.tif", pixels, spec.grid(quad))
    write_mosaics(root, mosaics)


def write_mosaics(root: Path, mosaics: Sequence[MosaicSpec]) -> None:
    """Write `mosaics.json`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "mosaics.json").write_text(json.dumps([spec.record for spec in mosaics]))


def haze(amount: float, share: float = 1.0) -> Weather:
    """Veil the upper `share` of a quad: light is lost and scattered blue light added, `amount` of it (0 to 1)."""

    def veil(pixels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        rows = slice(0, round(pixels.shape[1] * share))
        scattered = np.array([0.60, 0.52, 0.46, 0.30])[: len(pixels), None, None] * 10_000.0
        veiled = pixels[:, rows] * (1.0 - amount) + scattered * amount
        pixels[:, rows] = np.where(pixels[:, rows] > 0, np.rint(veiled), 0).astype(np.uint16)
        return pixels

    return veil


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    base_url: str

    def stats(self) -> dict[str, Any]:
        """Requests by route (`counts`), failures by kind (`failed`) and bytes of quads (`bytes`) so far."""
        with urlopen(self.base_url.replace("/basemaps/v1", "/_stats"), timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def fail(self, share: float, *only: Fault) -> None:
        """From now on have a share of all requests fail, where kinds are named in those ways only."""
        self.tell(faults=share, only=[kind.value for kind in only])

    @property
    def tiles_url(self) -> str:
        """Where tiles are streamed."""
        return self.base_url.replace("/basemaps/v1", "/planet-tiles")

    @property
    def auth_server(self) -> str:
        """Where service accounts get their tokens."""
        return self.base_url.replace("/basemaps/v1", "/auth")

    def tell(self, **orders: Any) -> None:
        """Have it behave otherwise: `faults`, `only`, `token_seconds`, `revoke`."""
        body = json.dumps(orders).encode()
        address = self.base_url.replace("/basemaps/v1", "/_set")
        urlopen(Request(address, data=body, method="POST"), timeout=10).close()


@contextmanager
def served(
    root: Path, *, faults: float = 0.0, seed: int = 0, only: Sequence[Fault] = (), **options: float | str
) -> Iterator[Running]:
    """The stand-in as a process of its own; `options` are its further flags, such as `page_size=1`."""
    command = [sys.executable, "-m", "servers.planet_basemaps", "--root", str(root)]
    command += ["--faults", str(faults), "--seed", str(seed)]
    command += [word for kind in only for word in ("--only", kind.value)]
    command += [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    environment = os.environ | {"PYTHONPATH": str(SUPPORT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield Running(f"http://127.0.0.1:{port}/basemaps/v1")
        finally:
            process.kill()
