"""Square kilometres that each zoom of a file of tiles shows."""

import gzip
from collections import defaultdict
from pathlib import Path

import mapbox_vector_tile
from pmtiles.reader import MmapSource, all_tiles


def km2_by_zoom(path: Path, outlines: str = "polygons", dots: str = "points") -> dict[int, float]:
    """Sum of `km2` over all dots of a zoom and over its outlines, each of which counts once."""
    drawn: dict[int, dict[str, float]] = defaultdict(dict)
    dotted: dict[int, float] = defaultdict(float)
    with path.open("rb") as file:
        for (zoom, _, _), data in all_tiles(MmapSource(file)):
            tile = mapbox_vector_tile.decode(gzip.decompress(data))
            drawn[zoom] |= {f["properties"]["id"]: f["properties"]["km2"] for f in _features(tile, outlines)}
            dotted[zoom] += sum(f["properties"]["km2"] for f in _features(tile, dots))
    return {zoom: sum(drawn[zoom].values()) + dotted[zoom] for zoom in sorted({*drawn, *dotted})}


def _features(tile, layer):
    return tile.get(layer, {"features": []})["features"]
