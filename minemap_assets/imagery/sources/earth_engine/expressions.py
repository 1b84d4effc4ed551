"""What Earth Engine is asked to compute, as expressions of its client.

What a pixel of an image shows that is cloud, missing, 0 or no possible number is hidden on the image's own pixels,
before any of them is interpolated: each band is brought onto the grid as the bilinear mean of its pixels that are
left. How the service interpolates beside masked pixels is documented nowhere, so none is masked then: a band times its
weight (1 or 0) and the weight itself are interpolated, and divided. A pixel of a picture is observed where the nearest
pixel of every band is left, and the nearest cloud score is high enough. Pictures of the same days are one; the
composite is the median of each pixel and band over all pictures, rounded half up. Annual images are taken as they are,
by the nearest pixel: the mean of two vectors is none of length 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from typing import Any

from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon, mapping

from minemap_assets.imagery.products import SCALE, product
from minemap_assets.imagery.sources.earth_engine.config import EarthEngineConfig
from minemap_assets.imagery.sources.earth_engine.images import Collection

COUNT = "clear_count"
_CLOUD_COVER = "CLOUDY_PIXEL_PERCENTAGE"
_ZONE = "UTM_ZONE"
_WEIGHT = "weight"
_INDEX, _START, _END = "system:index", "system:time_start", "system:time_end"


@dataclass(frozen=True)
class Where:
    """Images of a collection that touch an outline (EPSG:4326) and begin in some days, the last not included."""

    collection: Collection
    outline: Polygon
    first: date
    end: date


def listing(ee: Any, where: Where, config: EarthEngineConfig) -> Any:
    """A dictionary of what is needed to know of the images: names, dates, versions, names with a cloud score, zones."""
    images, collection = _images(ee, where, config), where.collection
    wanted = {"index": images.aggregate_array(_INDEX), "start": images.aggregate_array(_START)}
    if collection.is_basemap:
        wanted["end"] = images.aggregate_array(_END)
    if collection.version:
        wanted["version"] = images.aggregate_array(collection.version)
    if collection.cloud_score:
        wanted["scored"] = _touching(ee, collection.cloud_score, where).aggregate_array(_INDEX)
    if collection.is_annual:
        wanted["zone"] = images.aggregate_array(_ZONE)
    return ee.Dictionary(wanted)


def outlines(ee: Any, where: Where, config: EarthEngineConfig) -> Any:
    """The footprints of the images."""
    return _images(ee, where, config).aggregate_array("system:footprint")


def newest(ee: Any, asset: str, place: tuple[float, float], first: date, end: date) -> Any:
    """When the newest image of a collection at a place (longitude, latitude) begins, in milliseconds; null where there
    is none in those days. A whole collection is not asked: it has millions of images.
    """
    there = ee.ImageCollection(asset).filterBounds(ee.Geometry.Point(list(place)))
    return there.filterDate(_ms(first), _ms(end)).aggregate_max(_START)


def composite(
    ee: Any, where: Where, config: EarthEngineConfig, pictures: Sequence[Sequence[str]], bands: dict[str, str]
) -> Any:
    """An image of uint16: the bands (`bands` maps common names to the service's) and the count, 0 = not observed."""
    score = where.collection.cloud_score
    images = _images(ee, where, config)
    if score:
        images = images.linkCollection(ee.ImageCollection(score), [config.cloud_score_band])
    highest = product(where.collection.product).limits(1.0 / SCALE, 0.0)[1]

    def prepare(image: Any) -> Any:
        clear = image.select([config.cloud_score_band]).gte(config.clear_score) if score else None
        means = [_mean(image.select([name], [band]), clear, highest, band) for band, name in bands.items()]
        values = reduce(lambda one, other: one.addBands(other), means)
        shown = values.round().max(1).updateMask(values.mask().reduce(ee.Reducer.min()))
        return shown if clear is None else shown.updateMask(clear)

    layers = ee.ImageCollection.fromImages([_picture(ee, images, names, prepare) for names in pictures])
    count = layers.select([next(iter(bands))], [COUNT]).count()
    return layers.median().round().addBands(count).unmask(0, False).toUint16()


def vectors(ee: Any, where: Where, config: EarthEngineConfig, names: Sequence[str], bands: dict[str, str]) -> Any:
    """Like `composite`, of annual images as they are; the first name lies on top."""
    encoding = product(where.collection.product).encoding
    images = _images(ee, where, config)

    def prepare(image: Any) -> Any:
        values = image.select(list(bands.values()), list(bands))
        possible = values.gte(encoding.lowest).And(values.lte(encoding.highest)).reduce(ee.Reducer.min())
        stored = values.multiply(1.0 / encoding.scale).subtract(encoding.offset / encoding.scale)
        return stored.round().max(1).updateMask(values.mask().reduce(ee.Reducer.min()).gt(0).And(possible))

    tiles = [_picture(ee, images, [name], prepare) for name in reversed(names)]
    whole = ee.ImageCollection.fromImages(tiles).mosaic()
    count = whole.select([next(iter(bands))], [COUNT]).gt(0)
    return whole.addBands(count).unmask(0, False).toUint16()


def _mean(band: Any, clear: Any, highest: float, name: str) -> Any:
    """The bilinear mean of a band's pixels that are something, where the nearest one is."""
    known = band.gt(0).And(band.lte(highest))
    if clear is not None:
        known = known.And(clear)
    weight = known.unmask(0, False).select([name], [_WEIGHT])
    both = band.unmask(0, False).multiply(weight).addBands(weight).toFloat()
    # Computed on the band's own pixels first, so that it is these that are interpolated next.
    own = both.reproject(band.projection())
    mean = own.resample("bilinear")
    return mean.select([name]).divide(mean.select([_WEIGHT])).updateMask(own.select([_WEIGHT]))


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


def _picture(ee: Any, images: Any, names: Sequence[str], prepare: Callable[[Any], Any]) -> Any:
    """Images as one, the first name on top (a mosaic puts its last image there)."""
    chosen = images.filter(ee.Filter.inList(_INDEX, list(names)))
    return chosen.sort(_INDEX, False).map(prepare).mosaic()


def _images(ee: Any, where: Where, config: EarthEngineConfig) -> Any:
    images = _touching(ee, where.collection.asset, where)
    if not where.collection.cloud_score:
        return images
    return images.filter(ee.Filter.lte(_CLOUD_COVER, config.max_cloud_cover))


def _touching(ee: Any, asset: str, where: Where) -> Any:
    # The outline is in degrees and its sides are straight there, as in all other sources.
    area = ee.Geometry(mapping(where.outline), "EPSG:4326", False)
    return ee.ImageCollection(asset).filterBounds(area).filterDate(_ms(where.first), _ms(where.end))


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
