"""Which band of a file is which: by what a person said, the file's names, its documented order, or its colours.

Colours come last, because a writer of GeoTIFF that knows no better calls the first three bands of any file red, green
and blue. Of a file with the bands of a Planet basemap such colours tell nothing at all: its quads are blue, green, red,
near infrared and validity, whatever their photometric tag says.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.scene_names import band_of_file, common_band
from minemap_assets.imagery.products import Product

if TYPE_CHECKING:
    import rasterio.io

NOT_USED = "-"
"""Stands among the names of bands for one that is not to be used."""

QUAD_ORDER = ("blue", "green", "red", "nir")
"""Bands of a normalised analytic basemap quad, before its alpha band (Planet's product specification)."""

SCENE_ORDERS: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        3: ("red", "green", "blue"),
        4: QUAD_ORDER,
        8: ("coastal", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"),
    }
)
"""Bands of an analytic PlanetScope scene, by their number (Planet's documentation of the item type PSScene)."""

_QUAD_NAME = re.compile(
    r"(?<![A-Z0-9])L15-\d{4}[EW]-\d{4}[NS](?![A-Z0-9])|planet_medres_(?:normalized_)?analytic", re.I
)
_QUAD_METRES = 40_075_016.685578488 / (2048 * 4096)
"""Pixel size of a NICFI quad in EPSG:3857."""

_SCENE_NAME = re.compile(r"_\dB_Analytic(?:MS)?(?:_SR)?(?:_8b)?(?:_harmonized)?(?:_clip)?$", re.I)
_RADIANCE_NAME = re.compile(r"_\dB_Analytic(?:MS)?(?:_8b)?(?:_clip)?$", re.I)

_ALPHA = "alpha"
_VALIDITY_NAMES = frozenset({_ALPHA, "mask", "validity", "valid", "datamask", "data mask"})
_USUAL_COLOURS = ("red", "green", "blue")
"""What a writer that knows no better calls the first three bands."""

_QUAD_COUNTS = (5, 9)
"""Bands of basemap quads with the validity behind them."""

_LATTICE_STEPS = 4
"""So many zoom levels from a NICFI quad's pixels a basemap's may be."""


@dataclass(frozen=True)
class FileBands:
    """Common names of a file's usable bands by their index from 1, and those that are left out, each in words."""

    usable: Mapping[int, str]
    unused: tuple[str, ...]


def is_quad_name(name: str) -> bool:
    """True for the name of a Planet basemap quad, or of an analytic mosaic of the NICFI programme."""
    return _QUAD_NAME.search(name) is not None


def is_quad(source: "rasterio.io.DatasetReader") -> bool:
    """True for a file with the pixels of a NICFI quad."""
    size = abs(float(source.transform.a))
    return str(source.crs) == "EPSG:3857" and abs(size / _QUAD_METRES - 1.0) < 0.001


def validity_band(source: "rasterio.io.DatasetReader", used: Sequence[int] = ()) -> int | None:
    """The band (from 1) that is 0 where a pixel is not valid; None without one, or where it is one of those `used`.

    It is the last one that is flagged as alpha. The band behind the four or eight of a basemap quad in uint16 is it
    with or without that flag, whatever other band has it, as long as no name calls it otherwise.
    """
    last = int(source.count)
    if last in _QUAD_COUNTS and last not in used and _is_basemap(source) and _may_be_validity(source):
        return last
    flagged = [i for i, colour in enumerate(source.colorinterp, 1) if colour.name == _ALPHA and i not in used]
    return flagged[-1] if flagged else None


def lies_on_tiles(source: "rasterio.io.DatasetReader") -> bool:
    """True for a file with the pixels of a basemap of any zoom level: 4.78 m, 2.39 m, 9.55 m and so on."""
    if str(source.crs) != "EPSG:3857" or not source.transform.a:
        return False
    step = math.log2(abs(float(source.transform.a)) / _QUAD_METRES)
    return abs(step) < _LATTICE_STEPS + 0.5 and abs(step - round(step)) < 0.002


def _is_basemap(source: "rasterio.io.DatasetReader") -> bool:
    return any(is_quad_name(part) for part in PurePosixPath(source.name).parts) or lies_on_tiles(source)


def _may_be_validity(source: "rasterio.io.DatasetReader") -> bool:
    """True where nothing speaks against the last band's being the validity of a quad's reflectance."""
    text = source.descriptions[-1] or ""
    return _is_uint16(source) and (not text or text.lower() in _VALIDITY_NAMES)


def is_radiance_name(path: str) -> bool:
    """True for the name of an analytic PlanetScope scene that holds radiance at the sensor, not reflectance."""
    return _RADIANCE_NAME.search(PurePosixPath(path).stem) is not None


def bands_of(source: "rasterio.io.DatasetReader", path: str, kind: Product, stated: Sequence[str] | None) -> FileBands:
    """The bands of an open file; `stated` names all of them in order, `-` one that is not to be used.

    A file named after one band holds that band. Raises `BadInputError` where nothing tells, or where another number of
    bands was stated.
    """
    names = _names(source, path, kind, stated)
    usable = {i: name for i, name in enumerate(names, start=1) if name is not None and name in kind.bands}
    if not usable:
        which = "band it holds" if source.count == 1 else f"of its {source.count} bands is which"
        raise BadInputError(f"{path} does not say which {which}; name its bands in order with --bands")
    doubled = sorted({name for name in usable.values() if list(usable.values()).count(name) > 1})
    if doubled:
        raise BadInputError(
            f"{path} calls more than one of its bands {', '.join(doubled)}; name its bands with --bands"
        )
    unused = (_left_out(source, i, names) for i in range(1, source.count + 1) if i not in usable)
    return FileBands(usable, tuple(unused))


def _names(
    source: "rasterio.io.DatasetReader", path: str, kind: Product, stated: Sequence[str] | None
) -> Sequence[str | None]:
    """A name for each band but those at the end that are left out."""
    named = band_of_file(path)
    alpha = source.colorinterp[-1].name == _ALPHA
    count = source.count - int(alpha and source.count != len(stated or ()))
    if named is not None and (count == 1 or (count == 2 and stated is None)):
        # A second band is a data mask, as the Copernicus Browser adds one, and the first is 0 where it hides.
        return [named.band]
    if stated is not None:
        if count == len(stated) + 1 > len(QUAD_ORDER) and _has_quad_bands(kind) and _may_be_validity(source):
            count -= 1
        if count != len(stated):
            raise BadInputError(
                f"{path} has {count} {'band' if count == 1 else 'bands'} where {len(stated)} were named "
                f"({', '.join(stated)})"
            )
        return list(stated)
    documented = _documented_order(source, path, kind)
    described = [common_band(text or "") for text in source.descriptions[: len(documented) or count]]
    if any(described):
        return _completed(described, documented)
    colours = [colour.name for colour in source.colorinterp[:count]]
    if not documented and _has_quad_bands(kind) and tuple(colours[:3]) == _USUAL_COLOURS and _is_uint16(source):
        return []
    return documented or colours


def _has_quad_bands(kind: Product) -> bool:
    return set(kind.bands) == set(QUAD_ORDER)


def _is_uint16(source: "rasterio.io.DatasetReader") -> bool:
    return set(source.dtypes) == {"uint16"}


def _documented_order(source: "rasterio.io.DatasetReader", path: str, kind: Product) -> tuple[str, ...]:
    """The documented order of a file's bands, without alpha behind them; empty where no document speaks of such files.

    Files are told by their names or their pixels. Four bands of uint16 that a person calls a basemap are the bands of
    one, with or without validity behind them, wherever they were cut out.
    """
    if _SCENE_NAME.search(PurePosixPath(path).stem):
        alpha = source.colorinterp[-1].name == _ALPHA
        return SCENE_ORDERS.get(source.count) or SCENE_ORDERS.get(source.count - int(alpha), ())
    behind = source.count - len(QUAD_ORDER)
    if not _has_quad_bands(kind) or behind not in (0, 1):
        return ()
    if _is_basemap(source):
        return QUAD_ORDER
    fits = _may_be_validity(source) if behind else _is_uint16(source) and source.colorinterp[-1].name != _ALPHA
    return QUAD_ORDER if fits else ()


def _completed(names: list[str | None], order: tuple[str, ...]) -> Sequence[str | None]:
    """Where one band of a documented order has no name, it is the one that is missing."""
    missing = [band for band in order if band not in names]
    if names.count(None) == len(missing) == 1:
        names[names.index(None)] = missing[0]
    return names


def _left_out(source: "rasterio.io.DatasetReader", index: int, names: Sequence[str | None]) -> str:
    """A band that is not used, with what it is called."""
    name = names[index - 1] if index <= len(names) else None
    called = source.descriptions[index - 1] or name or source.colorinterp[index - 1].name
    called = "" if called in (NOT_USED, "undefined", "gray") or not called.isprintable() else f" ({called[:40]})"
    return f"band {index}{called}"
