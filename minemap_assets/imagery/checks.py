"""Checks of the room imagery."""

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.lake.partitions import Partition


def _covers_sites(partition: Partition, context: InputContext) -> CheckOutcome:
    """Fails where a site failed, or where less than the minimum of a covered site's pixels were observed.

    Land is judged with all else in the window: water counts as observed where the source shows it, as Sentinel-2 does.
    Sea that a product leaves out altogether counts as unseen, so a coast may need a lower minimum.
    """
    index = read_geoparquet(partition.file("index.parquet"))
    limit = context.project.section(ImageryConfig).min_clear_fraction
    poor = sorted(index.loc[index["clear_fraction"] < limit, "site_id"])
    uncovered = [m.item for m in partition.manifest.missing if not m.retry]
    failures = [m for m in partition.manifest.missing if m.retry]
    missing = [m.item for m in failures]
    passed = not poor and not missing
    sentence = (
        f"{len(index) - len(poor)} of {len(index) + len(missing) + len(uncovered)} sites are at least {limit:.0%} clear"
        + (f"; too cloudy: {', '.join(poor[:5])} ([imagery] min_clear_fraction sets the limit)" if poor else "")
        + (f"; failed: {', '.join(missing[:5])} ({failures[0].reason}), tried again on the next run" if missing else "")
        + (f"; not covered by any source: {', '.join(uncovered[:5])}" if uncovered else "")
    )
    facts: dict[str, float] = {"sites": len(index), "poor": len(poor), "failed": len(missing)}
    facts["not covered"] = len(uncovered)
    if poor:
        worst = index.set_index("site_id").loc[poor, "largest_gap_ha"]
        sentence += f"; the largest unseen patch is {worst.max():,.1f} ha, at {worst.idxmax()}"
        facts["largest gap ha"] = float(worst.max())
    return CheckOutcome(passed, sentence, facts)


COVERAGE_CHECKS = (
    Check(
        "covers_sites",
        "No site failed, and enough of the ground of every covered site was seen clear of cloud.",
        _covers_sites,
    ),
)
