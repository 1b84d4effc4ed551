"""Checks of the room imagery."""

from minemap_assets.geo.vector import read_geoparquet
from minemap_assets.graph.context import Check, CheckOutcome, InputContext
from minemap_assets.imagery.config import ImageryConfig
from minemap_assets.imagery.not_observed import most_unobserved
from minemap_assets.lake.partitions import Partition


def _covers_sites(partition: Partition, context: InputContext) -> CheckOutcome:
    """Fails where a site failed for a reason that may pass, or where more sites than allowed are not observed.

    Land is judged with all else in the window: water counts as observed where the source shows it, as Sentinel-2 does.
    Sea that a product leaves out altogether counts as unseen, so a coast may need a lower minimum.
    """
    index = read_geoparquet(partition.file("index.parquet"))
    config = context.project.section(ImageryConfig)
    limit, share = config.min_clear_fraction, config.max_unobserved_share
    poor = sorted(index.loc[index["clear_fraction"] < limit, "site_id"])
    failures = [m for m in partition.manifest.missing if m.retry]
    uncovered = sorted({m.item for m in partition.manifest.missing if not m.retry} - set(index["site_id"]))
    missing = [m.item for m in failures]
    sites, unobserved = len(index) + len(missing) + len(uncovered), len(poor) + len(uncovered)
    many = unobserved > most_unobserved(sites, share)
    sentence = (
        f"{len(index) - len(poor)} of {sites} sites are at least {limit:.0%} clear"
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
    if many:
        beyond = f"more than [imagery] max_unobserved_share ({share:.0%}) allows"
        sentence += f"; {unobserved} of {sites} sites are not observed, {beyond}"
    return CheckOutcome(not missing and not many, sentence, facts)


COVERAGE_CHECKS = (
    Check(
        "covers_sites",
        "No site failed, and no more of them than the settings allow are too cloudy or not covered.",
        _covers_sites,
    ),
)
