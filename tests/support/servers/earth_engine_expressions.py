"""Expressions of the Earth Engine stand-in: the functions that our requests use, evaluated as the service defines them.

A function that is not listed is refused, as an unknown one is by the service.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import mapping, shape

from servers import earth_engine_images as images
from servers.earth_engine_images import Image, Numbers, Planes


class ComputationError(Exception):
    """The service's refusal of an expression; its text is the message."""


Loader = Callable[[str], list[Image]]
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Function:
    """A function of an expression, to be called with values for its arguments."""

    names: tuple[str, ...]
    body: str
    graph: "Graph"
    outer: Mapping[str, Any]

    def __call__(self, *values: Any) -> Any:
        """The value of its body."""
        return self.graph.value(self.body, dict(self.outer) | dict(zip(self.names, values, strict=True)), {})


class Graph:
    """One expression."""

    def __init__(self, expression: Mapping[str, Any], load: Loader) -> None:
        self._nodes = expression["values"]
        self._result = expression["result"]
        self._load = load

    def evaluate(self) -> Any:
        """The value of the expression."""
        return self.value(self._result, {}, {})

    def value(self, name: str, arguments: Mapping[str, Any], known: dict[str, Any]) -> Any:
        """The value of a named node; `known` holds those that were computed with the same arguments."""
        if name not in known:
            known[name] = self._node(self._nodes[name], arguments, known)
        return known[name]

    def _node(self, node: Mapping[str, Any], arguments: Mapping[str, Any], known: dict[str, Any]) -> Any:
        ((kind, content),) = node.items()
        value: Any
        match kind:
            case "constantValue":
                value = content
            case "valueReference":
                value = self.value(content, arguments, known)
            case "argumentReference":
                value = arguments[content]
            case "arrayValue":
                value = [self._node(one, arguments, known) for one in content["values"]]
            case "dictionaryValue":
                value = {key: self._node(one, arguments, known) for key, one in content["values"].items()}
            case "functionDefinitionValue":
                value = Function(tuple(content["argumentNames"]), content["body"], self, arguments)
            case "functionInvocationValue":
                given = {key: self._node(one, arguments, known) for key, one in content["arguments"].items()}
                value = self._call(content["functionName"], given)
            case _:
                raise ComputationError(f"Unknown kind of value: {kind}")
        return value

    def _call(self, name: str, given: Arguments) -> Any:
        if name == "ImageCollection.load":
            return self._load(given["id"])
        if name == "Image.linkCollection":
            return _link(given["input"], given["imageCollection"], given["linkedBands"])
        function = FUNCTIONS.get(name)
        if function is None:
            raise ComputationError(f"Unknown function: {name}")
        return function(given)


def _link(image: Image, collection: Sequence[Image], bands: Sequence[str]) -> Image:
    index = image.properties["system:index"]
    match = next((other for other in collection if other.properties["system:index"] == index), None)
    if match is None:
        return images.joined([image, *(images.masked_band(band) for band in bands)])
    linked = images.joined([match.parts[band] for band in bands])
    return images.joined([image, linked])


def _median(values: Numbers, mask: npt.NDArray[np.bool_]) -> Planes:
    ordered = np.sort(np.where(mask, values, np.inf), axis=0)
    number = mask.sum(axis=0)
    places = [(np.maximum(number, 1) - 1) // 2, np.maximum(number, 1) // 2]
    low, high = (np.take_along_axis(ordered, place[np.newaxis], axis=0)[0] for place in places)
    seen = mask.any(axis=0)
    return Planes((), np.where(seen, (low + high) / 2.0, 0.0), np.asarray(seen))


def _count(_: Numbers, mask: npt.NDArray[np.bool_]) -> Planes:
    return Planes((), mask.sum(axis=0).astype(np.float64), np.asarray(mask.any(axis=0)))


def _mosaic(values: Numbers, mask: npt.NDArray[np.bool_]) -> Planes:
    """The last image lies on top."""
    top, there = values[0].copy(), np.asarray(mask.any(axis=0))
    for value, shown in zip(values[1:], mask[1:], strict=True):
        top[shown] = value[shown]
    return Planes((), top, there)


def _reduced(given: Arguments) -> Image:
    """Bands to one, over those that are there."""
    reducer = given["reducer"]

    def how(planes: Planes) -> Planes:
        there = planes.mask.any(axis=0, keepdims=True)
        empty, function = (np.inf, np.min) if reducer == "min" else (-np.inf, np.max)
        values = function(np.where(planes.mask, planes.values, empty), axis=0, keepdims=True)
        return Planes((reducer,), np.where(there, values, 0.0), np.asarray(there))

    return _image(given["image"]).changed(how)


def _update_mask(given: Arguments) -> Image:
    image, mask = given["image"], given["mask"]

    def render(grid: images.Grid, _: images.Mode) -> Planes:
        planes, shown = image.on(grid), mask.on(grid)
        return Planes(planes.names, planes.values, np.asarray(planes.mask & shown.mask & (shown.values != 0)))

    return Image(render, image.properties, image.footprint, projections=image.projections)


def _unmask(given: Arguments) -> Image:
    if given.get("sameFootprint", True):
        raise ComputationError("the stand-in unmasks beyond footprints only")
    image, value = given["input"], given["value"]

    def render(grid: images.Grid, _: images.Mode) -> Planes:
        planes, other = image.on(grid), value.on(grid)
        return Planes(planes.names, np.where(planes.mask, planes.values, other.values), np.ones_like(planes.mask))

    return Image(render, image.properties, image.footprint, projections=image.projections)


def _to_uint16(planes: Planes) -> Planes:
    return Planes(planes.names, np.clip(np.trunc(planes.values), 0, 65535), planes.mask)


def _to_float(planes: Planes) -> Planes:
    return Planes(planes.names, planes.values.astype(np.float32).astype(np.float64), planes.mask)


def _divided(one: Numbers, other: Numbers) -> Numbers:
    """0 where it is divided by 0."""
    return np.divide(one, other, out=np.zeros(np.broadcast_shapes(one.shape, other.shape)), where=other != 0)


def _round(planes: Planes) -> Planes:
    return Planes(planes.names, np.floor(planes.values + 0.5), planes.mask)


def _mask(planes: Planes) -> Planes:
    return Planes(planes.names, planes.mask.astype(np.float64), np.ones_like(planes.mask))


def _image(value: Any) -> Image:
    return value if isinstance(value, Image) else images.constant(value)


Predicate = Callable[[Image], bool]


def _matches(given: Arguments) -> Predicate:
    """`Filter.intersects` of footprints."""
    area = given["rightValue"]
    return lambda image: bool(image.footprint.intersects(area))


def _in_range(given: Arguments) -> Predicate:
    start, end = given["leftValue"]
    return lambda image: start <= image.properties[given["rightField"]] < end


def _greater(given: Arguments) -> Predicate:
    return lambda image: bool(image.properties[given["leftField"]] > given["rightValue"])


def _contains(given: Arguments) -> Predicate:
    return lambda image: image.properties[given["rightField"]] in given["leftValue"]


def _sorted(given: Arguments) -> list[Image]:
    if "limit" in given:
        raise ComputationError("the stand-in sorts whole collections only")
    return sorted(
        given["collection"], key=lambda i: i.properties[given["key"]], reverse=not given.get("ascending", True)
    )


def _aggregated(given: Arguments) -> list[Any]:
    """Values of a property; images that lack it are passed over."""
    name = given["property"]
    if name == "system:footprint":
        return [mapping(shapely.LinearRing(image.footprint.exterior)) for image in given["collection"]]
    return [i.properties[name] for i in given["collection"] if i.properties.get(name) is not None]


def _combine(how: Callable[[Numbers, npt.NDArray[np.bool_]], Planes]) -> Callable[[Arguments], Image]:
    return lambda given: images.stacked(given["collection"], how)


def _binary(operation: Callable[[Numbers, Numbers], npt.NDArray[Any]]) -> Callable[[Arguments], Image]:
    return lambda given: images.binary(_image(given["image1"]), _image(given["image2"]), operation)


def _resampled(given: Arguments) -> Image:
    image, mode = given["image"], given.get("mode", "bilinear")
    if not image.placed:
        raise ComputationError("the stand-in resamples images as they are, or reprojected ones")
    return Image(lambda grid, _: image.on(grid, mode), image.properties, image.footprint, projections=image.projections)


def _projection(given: Arguments) -> images.Projection:
    projections = given["image"].projections
    if len(projections) != 1:
        raise ComputationError("Image.projection: The bands of the specified image contains different projections.")
    (one,) = projections
    assert isinstance(one, images.Projection)
    return one


def _reprojected(given: Arguments) -> Image:
    if set(given) != {"image", "crs"} or not isinstance(given["crs"], images.Projection):
        raise ComputationError("the stand-in reprojects to projections of images only")
    image = given["image"]
    assert isinstance(image, Image)
    return image.reprojected(given["crs"])


FUNCTIONS: dict[str, Callable[[Arguments], Any]] = {
    "AggregateFeatureCollection.array": _aggregated,
    "AggregateFeatureCollection.max": lambda given: max(_aggregated(given), default=None),
    "Collection.filter": lambda given: [i for i in given["collection"] if given["filter"](i)],
    "Collection.limit": _sorted,
    "Collection.map": lambda given: [given["baseAlgorithm"](image) for image in given["collection"]],
    "Date": lambda given: given["value"],
    "DateRange": lambda given: (given["start"], given["end"]),
    "Feature": lambda given: given["geometry"],
    "Filter.dateRangeContains": _in_range,
    "Filter.greaterThan": _greater,
    "Filter.intersects": _matches,
    "Filter.listContains": _contains,
    "Filter.not": lambda given: lambda image: not given["filter"](image),
    "GeometryConstructors.Point": lambda given: shape({"type": "Point", "coordinates": given["coordinates"]}),
    "GeometryConstructors.Polygon": lambda given: shape({"type": "Polygon", "coordinates": given["coordinates"]}),
    "Image.addBands": lambda given: images.joined([given["dstImg"], given["srcImg"]]),
    "Image.and": _binary(lambda a, b: (a != 0) & (b != 0)),
    "Image.constant": lambda given: images.constant(given["value"]),
    "Image.divide": _binary(_divided),
    "Image.eq": _binary(np.equal),
    "Image.gt": _binary(np.greater),
    "Image.gte": _binary(np.greater_equal),
    "Image.lte": _binary(np.less_equal),
    "Image.mask": lambda given: given["image"].changed(_mask),
    "Image.max": _binary(np.maximum),
    "Image.multiply": _binary(np.multiply),
    "Image.or": _binary(lambda a, b: (a != 0) | (b != 0)),
    "Image.projection": _projection,
    "Image.reduce": _reduced,
    "Image.reproject": _reprojected,
    "Image.resample": _resampled,
    "Image.round": lambda given: given["value"].changed(_round),
    "Image.select": lambda given: images.select(given["input"], given["bandSelectors"], given.get("newNames")),
    "Image.subtract": _binary(np.subtract),
    "Image.toFloat": lambda given: given["value"].changed(_to_float),
    "Image.toUint16": lambda given: given["value"].changed(_to_uint16),
    "Image.unmask": _unmask,
    "Image.updateMask": _update_mask,
    "ImageCollection.fromImages": lambda given: list(given["images"]),
    "ImageCollection.mosaic": _combine(_mosaic),
    "Projection": lambda given: given["crs"],
    "Reducer.max": lambda _: "max",
    "Reducer.min": lambda _: "min",
    "reduce.count": _combine(_count),
    "reduce.median": _combine(_median),
}
"""Every function by its name in the service's list of algorithms."""
