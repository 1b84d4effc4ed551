"""What the scan of a year and that of a one-off season have in common: tiles, their scores, detections, pictures."""

import geopandas as gpd

from minemap_assets.detection.classifier_assets import PATCH_CLASSIFIER
from minemap_assets.detection.dependencies import config_of, scan_bands, scan_product
from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import BuildContext, InputContext
from minemap_assets.graph.statement import Asset
from minemap_assets.imagery.assets import build_composites
from minemap_assets.imagery.reader import open_imagery
from minemap_assets.imagery.seasons import Season
from minemap_assets.lake.manifests import Outcome
from minemap_assets.lake.partitions import Partition
from minemap_assets.reference.assets import COUNTRY_BOUNDARIES


def boundaries_of(context: InputContext) -> gpd.GeoDataFrame:
    """Outlines of the countries."""
    return read_geoparquet(context.input(COUNTRY_BOUNDARIES).file("boundaries.parquet"))


def build_tiles(context: BuildContext, year: int, once: Season | None = None) -> Outcome:
    """Composites of the tiles of a region (the first key) that hold land; `once` is as in `build_composites`."""
    from minemap_assets.detection.tiles import land_tiles, tile_table

    project, slug = context.project, context.keys[0]
    places = tile_table(land_tiles(project.region(slug), boundaries_of(context)))
    product, bands = scan_product(project), scan_bands(project)
    return build_composites(context, places, slug, year, product, bands, unit="tile", once=once)


def build_scores(context: BuildContext, imagery: Asset) -> Outcome:
    """Scores of all patches of a region (the first key), by the composites of its tiles."""
    from minemap_assets.detection.artefact import load_classifier
    from minemap_assets.detection.patch_scores import build_patch_scores
    from minemap_assets.detection.tiles import land_tiles

    region = context.project.region(context.keys[0])
    return build_patch_scores(
        region.geometry,
        [tile.name for tile in land_tiles(region, boundaries_of(context))],
        open_imagery(context.input(imagery)),
        load_classifier(context.input(PATCH_CLASSIFIER)),
        config_of(context.project),
        context.writer,
        progress=context.progress,
    )


def build_found(context: BuildContext, year: int, scores: Asset) -> Outcome:
    """Detections of a region (the first key), by the scores of its patches."""
    from minemap_assets.detection.artefact import read_card
    from minemap_assets.detection.detections import build_detections

    return build_detections(
        context.project.region(context.keys[0]),
        year,
        context.input(scores),
        read_card(context.input(PATCH_CLASSIFIER)),
        boundaries_of(context),
        config_of(context.project),
        context.writer,
    )


def tiles_picture(partition: Partition, _: InputContext) -> bytes:
    """Some tiles."""
    from minemap_assets.imagery.drawing import imagery_picture

    return imagery_picture(partition, "tile")


def scores_picture(partition: Partition, _: InputContext) -> bytes:
    """A map of scores."""
    from minemap_assets.detection.drawing import score_sheet

    return score_sheet(partition)


def found_picture(partition: Partition, context: InputContext, imagery: Asset) -> bytes:
    """The surest detections on their imagery, where that is kept."""
    from minemap_assets.detection.drawing import detection_sheet
    from minemap_assets.detection.ground import Ground

    images = context.inputs_of(imagery).values()
    return detection_sheet(partition, next((Ground(open_imagery(one)) for one in images), None))
