"""What Earth Engine is asked to compute, as expressions of its client.

Images are brought onto the grid before anything else is done with them, bilinearly; a pixel of a picture is observed
where every band is there, some band is more than 0 and the cloud score is high enough. Pictures of the same days are
one; the composite is the median of each pixel and band over all pictures, rounded half up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon, mapping

from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.images import Collection

COUNT = "clear_count"
_CLOUD_COVER = "CLOUDY_PIXEL_PERCENTAGE"
_BASELINE = "PROCESSING_BASELINE"
_INDEX, _START, _END = "system:index", "system:time_start", "system:time_end"


@dataclass(frozen=True)
class Where:
    """Images of a collection that touch an outline (EPSG:4326) and begin in some days, the last not included."""

    collection: Collection
    outline: Polygon
    first: date
    end: date


def listing(ee: Any, where: Where, config: EarthEngineConfig) -> Any:
    """A dictionary of what is needed to know of the images: names, dates, baselines, and names with a cloud score."""
    images = _images(ee, where, config)
    wanted = {"index": images.aggregate_array(_INDEX), "start": images.aggregate_array(_START)}
    if where.collection.is_basemap:
        return ee.Dictionary(wanted | {"end": images.aggregate_array(_END)})
    scores = _touching(ee, where.collection.cloud_score, where)
    more = {"baseline": images.aggregate_array(_BASELINE), "scored": scores.aggregate_array(_INDEX)}
    return ee.Dictionary(wanted | more)


def outlines(ee: Any, where: Where, config: EarthEngineConfig) -> Any:
    """The footprints of the images."""
    return _images(ee, where, config).aggregate_array("system:footprint")


def newest(ee: Any, asset: str, first: date, end: date) -> Any:
    """When the newest image of a collection begins, in milliseconds; null where there is none in those days."""
    return ee.ImageCollection(asset).filterDate(_ms(first), _ms(end)).aggregate_max(_START)


def composite(
    ee: Any, where: Where, config: EarthEngineConfig, pictures: Sequence[Sequence[str]], bands: dict[str, str]
) -> Any:
    """An image of uint16: the bands (`bands` maps common names to the service's) and the count, 0 = not observed."""
    score = where.collection.cloud_score
    images = _images(ee, where, config)
    if score:
        images = images.linkCollection(ee.ImageCollection(score), [config.cloud_score_band])

    def prepare(image: Any) -> Any:
        values = image.select(list(bands.values()), list(bands)).resample("bilinear")
        seen = values.mask().reduce(ee.Reducer.min()).gt(0).And(values.reduce(ee.Reducer.max()).gt(0))
        if score:
            seen = seen.And(image.select([config.cloud_score_band]).gte(config.clear_score))
        return values.round().max(1).updateMask(seen)

    prepared = images.map(prepare)
    layers = ee.ImageCollection.fromImages([_picture(ee, prepared, names) for names in pictures])
    count = layers.select([next(iter(bands))], [COUNT]).count()
    return layers.median().round().addBands(count).unmask(0, False).toUint16()


def request(image: Any, grid: GeoBox) -> dict[str, Any]:
    """The parameters of `computePixels` for an image on a grid."""
    a = grid.affine
    return {
        "expression": image,
        "fileFormat": "NUMPY_NDARRAY",
        "grid": {
            "dimensions": {"width": int(grid.shape[1]), "height": int(grid.shape[0])},
            "affineTransform": {
                "scaleX": a.a,
                "shearX": a.b,
                "translateX": a.c,
                "shearY": a.d,
                "scaleY": a.e,
                "translateY": a.f,
            },
            "crsCode": str(grid.crs),
        },
    }


def _picture(ee: Any, prepared: Any, names: Sequence[str]) -> Any:
    """Images as one, the first name on top (a mosaic puts its last image there)."""
    chosen = prepared.filter(ee.Filter.inList(_INDEX, list(names)))
    return chosen.sort(_INDEX, False).mosaic()


def _images(ee: Any, where: Where, config: EarthEngineConfig) -> Any:
    images = _touching(ee, where.collection.asset, where)
    if where.collection.is_basemap:
        return images
    return images.filter(ee.Filter.lte(_CLOUD_COVER, config.max_cloud_cover))


def _touching(ee: Any, asset: str, where: Where) -> Any:
    # The outline is in degrees and its sides are straight there, as in all other sources.
    area = ee.Geometry(mapping(where.outline), "EPSG:4326", False)
    return ee.ImageCollection(asset).filterBounds(area).filterDate(_ms(where.first), _ms(where.end))


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
