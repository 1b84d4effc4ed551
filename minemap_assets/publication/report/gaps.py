"""What is missing from the maps: partitions that were not made, failed their checks, have gaps, or were made from
earlier versions of what they read.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from minemap_assets.errors import MinemapError
from minemap_assets.graph.context import InputContext
from minemap_assets.imagery.assets import COMPOSITES
from minemap_assets.lake.manifests import PartitionRef
from minemap_assets.polygons.assets import MINING_POLYGONS
from minemap_assets.segmentation.assets import RAW_MASKS
from minemap_assets.sites.assets import SITES
from minemap_assets.tables.assets import YEARLY

STAGES = (COMPOSITES, RAW_MASKS, MINING_POLYGONS)
"""What is made of every region and year, in this order."""

NOT_MADE = "not made"


@dataclass(frozen=True)
class Gap:
    """Partitions of one asset that are missing or in doubt for one reason: of a region, or of all, in some years."""

    asset: str
    region: str
    years: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Gaps:
    """Everything that is missing. `lacking` was not made or failed its checks, `partial` holds less than it should and
    is tried again by the next run, `stale` was made from an earlier version of what it reads. `without_sites` and
    `without_polygons` are regions, the latter with the years that show none.
    """

    lacking: tuple[Gap, ...]
    partial: tuple[Gap, ...]
    stale: tuple[str, ...]
    without_sites: tuple[str, ...]
    without_polygons: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def any(self) -> bool:
        """Whether anything is missing or in doubt."""
        return bool(self.lacking or self.partial or self.stale or self.without_sites)


def gaps_of(context: InputContext) -> Gaps:
    """Compare what was made with what the regions and closed years of the project ask for."""
    return Gaps(
        lacking=_gathered(_lacking(context)),
        partial=_gathered(_partial(context)),
        stale=tuple(_stale(context)),
        without_sites=tuple(_without_sites(context)),
        without_polygons=tuple(_without_polygons(context)),
    )


def _gathered(found: Iterator[tuple[str, str, int, str]]) -> tuple[Gap, ...]:
    """Gaps that differ by their year only become one."""
    years: dict[tuple[str, str, str], set[int]] = {}
    for asset, region, year, reason in found:
        years.setdefault((asset, region, reason), set()).add(year)
    return tuple(Gap(asset, region, tuple(sorted(y)), reason) for (asset, region, reason), y in years.items())


def _lacking(context: InputContext) -> Iterator[tuple[str, str, int, str]]:
    project = context.project
    for asset in STAGES:
        for slug in project.active_regions():
            for year in project.closed_years():
                ref = asset.ref((slug, str(year)))
                if ref not in context.inputs:
                    yield asset.name, slug, year, _reason(context, ref)
    for asset in YEARLY:
        for year in project.closed_years():
            ref = asset.ref((str(year),))
            if ref not in context.inputs:
                yield asset.name, "", year, _reason(context, ref)


def _reason(context: InputContext, ref: PartitionRef) -> str:
    """Why a partition is none of the inputs."""
    try:
        manifest = context.project.lake.read_manifest(ref)
    except MinemapError as error:
        return str(error)
    if manifest is not None and manifest.rejected:
        return manifest.rejected[0]
    return NOT_MADE


def _partial(context: InputContext) -> Iterator[tuple[str, str, int, str]]:
    for asset in STAGES:
        for ref, part in context.inputs_of(asset).items():
            retried = [one for one in part.manifest.missing if one.retry]
            for reason in sorted({one.reason for one in retried}):
                count = sum(one.reason == reason for one in retried)
                yield asset.name, ref.keys[0], int(ref.keys[1]), f"{count} of its sites: {reason}"


def _stale(context: InputContext) -> Iterator[str]:
    """Partitions whose inputs have changed since they were made."""
    now = {str(ref): part.manifest.content for ref, part in context.inputs.items()}
    for ref in sorted(context.inputs):
        made_from = context.inputs[ref].manifest.inputs
        if any(name in now and now[name] != content for name, content in made_from.items()):
            yield str(ref)


def _without_sites(context: InputContext) -> Iterator[str]:
    held = {ref.keys[0]: part for ref, part in context.inputs_of(SITES).items()}
    for slug in context.project.active_regions():
        if slug not in held or not _rows(held[slug].manifest.summary, "sites"):
            yield slug


def _without_polygons(context: InputContext) -> Iterator[tuple[str, tuple[int, ...]]]:
    found: dict[str, list[int]] = {}
    for ref, part in context.inputs_of(MINING_POLYGONS).items():
        if not _rows(part.manifest.summary, "rows"):
            found.setdefault(ref.keys[0], []).append(int(ref.keys[1]))
    yield from ((slug, tuple(years)) for slug, years in sorted(found.items()))


def _rows(summary: dict[str, object], name: str) -> int:
    """A count that a manifest states."""
    return int(str(summary.get(name, 0)))
