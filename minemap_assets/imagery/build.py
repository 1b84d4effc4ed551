"""The imagery partition: one composite a site, an index of where every pixel comes from, and a small picture.

What belongs here: asking the sources in turn, keeping what earlier runs made, and writing the partition's files. What
does not: how a source finds its pixels (`sources/`), and what grid a site is imaged on (`planning.py`).

A site falls through to the next source where one has nothing for it (`NotFoundError` and its children). Every other
error fails that site alone: it is listed as missing and tried again on the next run. A site that no source covers is
missing too, but only asked for again once a source has changed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from minemap_assets.errors import BadInputError, MinemapError, NotFoundError
from minemap_assets.geo.grid import footprint_wgs84
from minemap_assets.geo.raster import png_bytes, read_raster, write_cog
from minemap_assets.geo.vector import WGS84, write_geoparquet
from minemap_assets.imagery.chain import PassedOver, SourceChain, Sourced
from minemap_assets.imagery.planning import Request, common_product, plan
from minemap_assets.imagery.preview import Preview
from minemap_assets.imagery.products import NOT_OBSERVED
from minemap_assets.imagery.seasons import Season
from minemap_assets.imagery.source import ImagerySource
from minemap_assets.lake import Missing, Outcome, PartitionWriter, file_sha256

CLEAR_COUNT = "clear_count"
"""Description of the last band of every composite file."""

INDEX = "index.parquet"
PREVIEW = "preview.png"
INDEX_COLUMNS = (
    "site_id",
    "source",
    "product",
    "year",
    "acquisitions",
    "first_date",
    "last_date",
    "clear_fraction",
    "clear_count_mean",
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
    """One build on its way; what the sites came to is filled in order of site id."""

    chain: SourceChain
    season: Season
    writer: PartitionWriter
    preview: Preview
    rows: list[dict[str, Any]] = field(default_factory=list)
    passed_over: Counter[PassedOver] = field(default_factory=Counter)
    failures: list[tuple[str, MinemapError]] = field(default_factory=list)


def build_imagery(
    sites: gpd.GeoDataFrame,
    sources: Sequence[ImagerySource],
    season: Season,
    bands: Sequence[str],
    min_clear_fraction: float,
    writer: PartitionWriter,
    *,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> Outcome:
    """Write `<site_id>.tif` for every site, `index.parquet` and `preview.png`.

    Sources are asked in order; a composite that is less clear than `min_clear_fraction` is kept only where no later
    source does better. `workers` sites are read at a time (one by default; more pay off over a network), with the
    same result. Files published by an interrupted run under the same fingerprint are adopted, not read again.

    Raises `NotFoundError` where no source has anything for any site, the class of the first other failure where all
    sites failed, and `BadInputError` for sources of different products or bands that the product lacks.
    """
    kind = common_product(sources)
    unknown = [band for band in bands if band not in kind.bands]
    if unknown or not bands:
        raise BadInputError(f"{kind.name} has no band {', '.join(unknown)}; it has {', '.join(kind.bands)}")
    requests = tuple(plan(sites, sources, season, bands, min_clear_fraction))
    chain = SourceChain(sources, season, tuple(bands), min_clear_fraction)
    build = _Build(chain, season, writer, Preview(tuple(bands), [request.site_id for request in requests]))
    for start in range(0, len(requests), workers):
        group = requests[start : start + workers]
        _build_group(group, build)
        if progress is not None:
            progress(start + len(group), len(requests))
    _raise_if_nothing(build, len(requests), kind.name)
    write_index(build.rows, writer.path(INDEX))
    writer.add(INDEX)
    writer.path(PREVIEW).write_bytes(png_bytes(build.preview.picture()))
    writer.add(PREVIEW)
    summary = _summary(build, len(requests), min_clear_fraction) | {"product": kind.name, "bands": list(bands)}
    return Outcome(summary, [_missing(site, error) for site, error in build.failures])


def write_index(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write index rows (the columns above and `geometry`) as GeoParquet, with the same types when there are none."""
    frame = gpd.GeoDataFrame(
        {column: [row[column] for row in rows] for column in INDEX_COLUMNS},
        geometry=[row["geometry"] for row in rows],
        crs=WGS84,
    )
    types = {"year": "int64", "bytes": "int64", "bytes_read": "int64", "redistributable": "bool"}
    types |= dict.fromkeys(("clear_fraction", "clear_count_mean", "offset"), "float64")
    write_geoparquet(frame.astype(types), path)


def _build_group(group: Sequence[Request], build: _Build) -> None:
    kept = {request.site_id: _adopt(request, build) for request in group}
    wanted = [request for request in group if kept[request.site_id] is None]
    answers = dict(zip((request.site_id for request in wanted), _read_all(wanted, build.chain), strict=True))
    for request in group:
        facts = kept[request.site_id]
        if facts is None:
            answer = answers[request.site_id]
            if isinstance(answer, MinemapError):
                build.failures.append((request.site_id, answer))
                continue
            facts = _publish(request, answer, build)
        build.passed_over.update(PassedOver(**passed) for passed in facts["passed_over"])
        build.rows.append(_index_row(request, facts, build.writer))


def _read_all(requests: Sequence[Request], chain: SourceChain) -> list[Sourced | MinemapError]:
    def read(request: Request) -> Sourced | MinemapError:
        try:
            return chain.read(request.grid)
        except MinemapError as error:
            return error

    if len(requests) < 2:
        return [read(request) for request in requests]
    with ThreadPoolExecutor(max_workers=len(requests)) as pool:
        return list(pool.map(read, requests))


def _adopt(request: Request, build: _Build) -> dict[str, Any] | None:
    """Facts of a file that an earlier run published, None where there is none that reads whole."""
    local = build.writer.reuse(request.file, request.item)
    if local is None:
        return None
    try:
        raster = read_raster(local)
    except BadInputError:
        build.writer.drop(request.file)
        return None
    if raster.facts.get("item") != request.item or raster.facts.get("site_id") != request.site_id:
        build.writer.drop(request.file)
        return None
    build.preview.add(request.site_id, raster.pixels[:-1])
    return dict(raster.facts)


def _publish(request: Request, sourced: Sourced, build: _Build) -> dict[str, Any]:
    composite = sourced.composite
    facts = asdict(composite.provenance) | {
        "acquisitions": list(composite.provenance.acquisitions),
        "site_id": request.site_id,
        "year": build.season.year,
        "clear_fraction": composite.clear_fraction,
        "clear_count_mean": float(composite.clear_count.mean()),
        "item": request.item,
        "passed_over": [asdict(passed) for passed in sourced.passed_over],
    }
    pixels = np.concatenate([composite.pixels, composite.clear_count[np.newaxis]])
    names = (*composite.bands, CLEAR_COUNT)
    write_cog(build.writer.path(request.file), pixels, request.grid, names, nodata=NOT_OBSERVED, facts=facts)
    build.writer.add(request.file, item=request.item)
    build.preview.add(request.site_id, composite.pixels)
    return facts


def _index_row(request: Request, facts: dict[str, Any], writer: PartitionWriter) -> dict[str, Any]:
    local = writer.published(request.file)
    stored = {"bytes": local.stat().st_size, "sha256": file_sha256(local), "file": request.file}
    values = {**facts, **stored}
    return {column: values[column] for column in INDEX_COLUMNS} | {"geometry": footprint_wgs84(request.grid)}


def _missing(site_id: str, error: MinemapError) -> Missing:
    return Missing(item=site_id, reason=str(error), retry=not isinstance(error, NotFoundError))


def _raise_if_nothing(build: _Build, sites: int, product_name: str) -> None:
    if build.rows or not build.failures:
        return
    season = build.season
    first = build.failures[0][1]
    others = [error for _, error in build.failures if not isinstance(error, NotFoundError)]
    if not others:
        raise NotFoundError(
            f"there is no {product_name} imagery for {season.year} ({season.start} to {season.end}) at any of the "
            f"{sites} sites: {first}"
        )
    raise type(others[0])(
        f"none of the {sites} sites could be read for {season.year}, {len(others)} of them for a reason other than "
        f"missing imagery; the first is: {others[0]}"
    )


def _summary(build: _Build, sites: int, min_clear_fraction: float) -> dict[str, Any]:
    clear = [row["clear_fraction"] for row in build.rows]
    return {
        "sites": sites,
        "observed": sum(value >= min_clear_fraction for value in clear),
        "below_minimum": sorted(r["site_id"] for r in build.rows if r["clear_fraction"] < min_clear_fraction),
        "clear_fraction_mean": round(float(np.mean(clear)), 4) if clear else None,
        "clear_fraction_min": round(min(clear), 4) if clear else None,
        "bytes": sum(row["bytes"] for row in build.rows),
        "bytes_read": sum(row["bytes_read"] for row in build.rows),
        "sources": dict(sorted(Counter(row["source"] for row in build.rows).items())),
        "passed_over": [asdict(passed) | {"sites": n} for passed, n in sorted(build.passed_over.items())],
    }
