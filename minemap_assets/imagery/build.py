"""The imagery partition: one composite a site, an index of where every pixel comes from, and a small picture.

A site falls through to the next source where one has nothing for it (`NotFoundError` and its children). Every other
error fails that site alone: it is listed as missing and tried again on the next run. A site that no source covers, or
of which less than the minimum was seen, is *not observed*: listed with its reason, and asked for again only once a
source has changed. The image of the latter is kept for people to look at, and for another minimum.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from minemap_assets.errors import BadInputError, MinemapError, NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.raster import png_bytes, read_raster, write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.imagery.chain import PassedOver, SourceChain, Sourced
from minemap_assets.imagery.concurrent_reads import read_sites
from minemap_assets.imagery.not_observed import too_little_seen, write_not_observed
from minemap_assets.imagery.preview import Preview
from minemap_assets.imagery.products import NOT_OBSERVED
from minemap_assets.imagery.quality import quality
from minemap_assets.imagery.requests import Request, common_product, plan
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.lake.manifests import Missing, Outcome, file_sha256
from minemap_assets.lake.writer import PartitionWriter
from minemap_assets.project.listener import Progress, no_progress

CLEAR_COUNT = "clear_count"
"""Description of the last band of every composite file."""

INDEX = "index.parquet"
PREVIEW = "preview.png"
INDEX_COLUMNS = (
    "site_id",
    "source",
    "product",
    "year",
    "season_start",
    "season_end",
    "acquisitions",
    "filled",
    "first_date",
    "last_date",
    "clear_fraction",
    "clear_count_mean",
    "largest_gap_ha",
    "largest_gap_days",
    "acquisition_days",
    "cloud_mask",
    "processing_baseline",
    "offset",
    "terms",
    "redistributable",
    "bytes_read",
    "bytes",
    "sha256",
    "file",
)
"""Columns of the index before its geometry (the grid's outline, EPSG:4326)."""


@dataclass
class _Build:
    """One build on its way, and what the sites came to: in order of site id once all are done."""

    chain: SourceChain
    season: Season
    writer: PartitionWriter
    preview: Preview
    unit: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    passed_over: Counter[PassedOver] = field(default_factory=Counter)
    failures: list[tuple[str, MinemapError]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Sites that have come to their end."""
        return len(self.rows) + len(self.failures)


def build_imagery(
    sites: gpd.GeoDataFrame,
    sources: Sequence[ImagerySource],
    season: Season,
    bands: Sequence[str],
    min_clear_fraction: float,
    writer: PartitionWriter,
    *,
    corrections: Mapping[str, int] | None = None,
    max_unobserved_share: float = 0.0,
    progress: Progress = no_progress,
    workers: int = 1,
    unit: str = "site",
) -> Outcome:
    """Write `<site_id>.tif` for every site, `index.parquet`, `not_observed.parquet` and `preview.png`.

    Sources are asked in order; a composite that is less clear than `min_clear_fraction` is kept only where no later
    source does better. `workers` sites are read at a time (more than one pays off over a network), with the same
    result, and each is published as soon as it is read. Files published by an interrupted run under the same
    fingerprint are adopted, not read again. `unit` is what people call a place that is imaged.

    Raises `NotFoundError` where no source has anything for any site (unless `max_unobserved_share` is 1: then every
    site may be without an image), the class of the first other failure where all sites failed, and `BadInputError` for
    sources of different products or bands that the product lacks.
    """
    kind = common_product(sources)
    kind.check_bands(bands)
    requests = tuple(plan(sites, sources, season, bands, min_clear_fraction, corrections))
    chain = SourceChain(sources, season, tuple(bands), min_clear_fraction)
    build = _Build(chain, season, writer, Preview(tuple(bands), [request.site_id for request in requests]), unit)
    _build_sites(requests, build, workers, progress)
    _raise_if_nothing(build, len(requests), kind.name, all_may_lack=max_unobserved_share >= 1.0)
    unseen = _not_observed(build, min_clear_fraction)
    write_not_observed(unseen, writer)
    writer.write(INDEX, lambda path: write_index(build.rows, path))
    writer.write(PREVIEW, lambda path: path.write_bytes(png_bytes(build.preview.picture())))
    summary = _summary(build, len(requests), min_clear_fraction) | {"product": kind.name, "bands": list(bands)}
    missing = [Missing(item=site_id, reason=reason, retry=False) for site_id, reason in unseen.items()]
    missing += [Missing(item=site_id, reason=str(error)) for site_id, error in build.failures if site_id not in unseen]
    return Outcome(summary, sorted(missing, key=attrgetter("item")))


def write_index(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write index rows (the columns above and `geometry`) as GeoParquet, with the same types when there are none."""
    frame = gpd.GeoDataFrame(
        {column: [row[column] for row in rows] for column in INDEX_COLUMNS},
        geometry=[row["geometry"] for row in rows],
        crs=WGS84,
    )
    types = {"year": "int64", "bytes": "int64", "bytes_read": "int64", "redistributable": "bool"}
    types |= dict.fromkeys(("clear_fraction", "clear_count_mean", "largest_gap_ha", "offset"), "float64")
    types |= dict.fromkeys(("filled", "largest_gap_days"), "Int64")
    write_geoparquet(frame.astype(types), path)


def _build_sites(requests: Sequence[Request], build: _Build, workers: int, progress: Progress) -> None:
    with closing(read_sites(_unread(requests, build, progress), build.chain, workers)) as answers:
        for request, answer in answers:
            if isinstance(answer, MinemapError):
                build.failures.append((request.site_id, answer))
            else:
                _enter(request, _publish(request, answer, build), build)
            progress(build.done, len(requests), f"fetching {build.unit}")
    build.rows.sort(key=itemgetter("site_id"))
    build.failures.sort(key=itemgetter(0))


def _unread(requests: Sequence[Request], build: _Build, progress: Progress) -> Iterator[Request]:
    """Requests that no earlier run has answered; the others are entered."""
    for request in requests:
        facts = _adopt(request, build)
        if facts is None:
            yield request
        else:
            _enter(request, facts, build)
            progress(build.done, len(requests), f"fetching {build.unit}")


def _enter(request: Request, facts: dict[str, Any], build: _Build) -> None:
    build.passed_over.update(PassedOver(**passed) for passed in facts["passed_over"])
    build.rows.append(_index_row(request, facts, build))


def _adopt(request: Request, build: _Build) -> dict[str, Any] | None:
    """Facts of a file that an earlier run published, None where there is none that reads whole."""
    local = build.writer.reuse(request.file, request.content_key)
    if local is None:
        return None
    try:
        raster = read_raster(local)
    except BadInputError:
        build.writer.drop(request.file)
        return None
    if raster.facts.get("item") != request.content_key or raster.facts.get("site_id") != request.site_id:
        build.writer.drop(request.file)
        return None
    build.preview.add(request.site_id, raster.pixels[:-1])
    return dict(raster.facts)


def _publish(request: Request, sourced: Sourced, build: _Build) -> dict[str, Any]:
    composite = sourced.composite
    facts = (
        asdict(composite.provenance)
        | asdict(quality(composite, build.season))
        | {
            "acquisitions": list(composite.provenance.acquisitions),
            "acquisition_days": list(composite.provenance.acquisition_days),
            "site_id": request.site_id,
            "year": build.season.year,
            "item": request.content_key,
            "passed_over": [asdict(passed) for passed in sourced.passed_over],
        }
    )
    pixels = np.concatenate([composite.pixels, composite.clear_count[np.newaxis]])
    names = (*composite.bands, CLEAR_COUNT)
    write_cog(build.writer.path(request.file), pixels, request.grid, names, nodata=NOT_OBSERVED, facts=facts)
    build.writer.add(request.file, content_key=request.content_key)
    build.preview.add(request.site_id, composite.pixels)
    return facts


def _index_row(request: Request, facts: dict[str, Any], build: _Build) -> dict[str, Any]:
    local, season = build.writer.published(request.file), build.season
    stored = {"bytes": local.stat().st_size, "sha256": file_sha256(local), "file": request.file}
    days = {"season_start": season.start.isoformat(), "season_end": (season.end - timedelta(days=1)).isoformat()}
    values = {"filled": None, **facts, **stored, **days}
    return {column: values[column] for column in INDEX_COLUMNS} | {"geometry": footprint_wgs84(request.grid)}


def _not_observed(build: _Build, minimum: float) -> dict[str, str]:
    """Why sites are not observed, by site: asking again gives the same answer."""
    reasons = {site_id: str(error) for site_id, error in build.failures if isinstance(error, NotFoundError)}
    for row in build.rows:
        if row["clear_fraction"] < minimum:
            reasons[row["site_id"]] = too_little_seen(row["clear_fraction"], minimum, row["cloud_mask"])
    return reasons


def _raise_if_nothing(build: _Build, sites: int, product_name: str, *, all_may_lack: bool) -> None:
    if build.rows or not build.failures:
        return
    season = build.season
    first = build.failures[0][1]
    others = [error for _, error in build.failures if not isinstance(error, NotFoundError)]
    if not others:
        if all_may_lack:
            return
        raise NotFoundError(
            f"there is no {product_name} imagery for {season.year} ({season.start} to {season.end}) at any of the "
            f"{sites} {build.unit}s: {first}"
        )
    raise type(others[0])(
        f"none of the {sites} {build.unit}s could be read for {season.year}, {len(others)} of them for a reason other "
        f"than missing imagery; the first is: {others[0]}"
    )


def _summary(build: _Build, sites: int, min_clear_fraction: float) -> dict[str, Any]:
    clear, counts, gaps = ([r[k] for r in build.rows] for k in ("clear_fraction", "clear_count_mean", "largest_gap_ha"))
    days = [row["largest_gap_days"] for row in build.rows if row["largest_gap_days"] is not None]
    return {
        "sites": sites,
        "observed": sum(value >= min_clear_fraction for value in clear),
        "below_minimum": sorted(r["site_id"] for r in build.rows if r["clear_fraction"] < min_clear_fraction),
        "clear_fraction_mean": round(float(np.mean(clear)), 4) if clear else None,
        "clear_fraction_min": round(min(clear), 4) if clear else None,
        "observations_per_pixel": round(float(np.mean(counts)), 2) if counts else None,
        "largest_gap_ha": round(max(gaps), 2) if gaps else None,
        "largest_gap_days": max(days, default=None),
        "cloud_masks": dict(sorted(Counter(row["cloud_mask"] for row in build.rows).items())),
        "bytes": sum(row["bytes"] for row in build.rows),
        "bytes_read": sum(row["bytes_read"] for row in build.rows),
        "sources": dict(sorted(Counter(row["source"] for row in build.rows).items())),
        "passed_over": [asdict(passed) | {"sites": n} for passed, n in sorted(build.passed_over.items())],
    }
