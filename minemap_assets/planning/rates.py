"""Rates: what sources took so far, measured over the imagery that the lake holds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from minemap_assets.imagery.assets import COMPOSITES, REFERENCE_COMPOSITES
from minemap_assets.lake.lake import Lake
from minemap_assets.lake.manifests import Manifest, PartitionRef


@dataclass(frozen=True)
class Rate:
    """What one source took so far. `seconds` is None where nothing was timed."""

    site_years: int
    stored_bytes: int
    bytes_read: int
    seconds: float | None = None
    timed_site_years: int = 0


def measured_rates(lake: Lake, seconds: Mapping[PartitionRef, float] | None = None) -> dict[str, Rate]:
    """What each source took so far, from imagery partitions that one source alone served; with the `seconds` that
    making some of them took, where these are known.
    """
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for source, sites, manifest in _served_by_one(lake):
        figures = (sites, manifest.summary["bytes"], manifest.summary["bytes_read"])
        sums[source] = [a + int(b) for a, b in zip(sums[source], figures, strict=True)]
    rates = {source: Rate(*figures) for source, figures in sorted(sums.items()) if figures[0]}
    return rates if seconds is None else _timed(lake, rates, seconds)


def _timed(lake: Lake, rates: Mapping[str, Rate], seconds: Mapping[PartitionRef, float]) -> dict[str, Rate]:
    taken: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for source, sites, manifest in _served_by_one(lake):
        if manifest.ref in seconds:
            taken[source] += seconds[manifest.ref]
            counts[source] += sites
    return {s: replace(r, seconds=taken.get(s), timed_site_years=counts[s]) for s, r in rates.items()}


def _served_by_one(lake: Lake) -> Iterator[tuple[str, int, Manifest]]:
    """Imagery partitions of which one source served every site: that source, the number of sites, the manifest."""
    for asset in (COMPOSITES, REFERENCE_COMPOSITES):
        for manifest in lake.manifests(asset.room, asset.name):
            sources = manifest.summary.get("sources") or {}
            if len(sources) == 1:
                source, sites = next(iter(sources.items()))
                yield str(source), int(sites), manifest
