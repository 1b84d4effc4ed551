"""The files of the page that are the same for every project: its own, and MapLibre GL JS."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from minemap_assets.errors import NotFoundError
from minemap_assets.publication.map.config import MapConfig, origin_of

PAGE = Path(__file__).parent / "page"

MAPLIBRE = ("maplibre-gl.js", "maplibre-gl.css")

CONNECT = "connect-src 'self'"
"""What the page's own content security policy says of where it may ask, before a basemap's host is added."""

NOTICE = """\
This folder holds a map that was made with minemap, and besides:

MapLibre GL JS (vendor/maplibre-gl.js, vendor/maplibre-gl.css), licence BSD-3-Clause, copyright MapLibre contributors
and Mapbox; its terms stand at https://github.com/maplibre/maplibre-gl-js/blob/main/LICENSE.txt
"""

PLACES_NOTICE = """
Place names (data/places.json) of GeoNames, https://www.geonames.org, licence Creative Commons Attribution 4.0
"""


def static_files(config: MapConfig, *, with_places: bool) -> Iterator[tuple[str, bytes]]:
    """Names inside the folder and contents; `with_places` credits the names of towns.

    Raises `NotFoundError` where MapLibre is not installed."""
    for path in sorted(PAGE.rglob("*")):
        if path.is_file():
            yield path.relative_to(PAGE).as_posix(), _content(path, config)
    folder = _maplibre()
    for name in MAPLIBRE:
        yield f"vendor/{name}", (folder / name).read_bytes()
    yield "NOTICE.txt", (NOTICE + (PLACES_NOTICE if with_places else "")).encode()


def _content(path: Path, config: MapConfig) -> bytes:
    data = path.read_bytes()
    if path.name != "index.html" or not config.basemap_url:
        return data
    return data.replace(CONNECT.encode(), f"{CONNECT} {origin_of(config.basemap_url)}".encode())


def _maplibre() -> Path:
    """The folder of the package `maplibre` that holds MapLibre GL JS; nothing of the package is imported."""
    found = find_spec("maplibre")
    if found is None or found.origin is None:
        raise NotFoundError("the package maplibre, which holds MapLibre GL JS, is not installed; install it")
    return Path(found.origin).parent / "srcjs"
