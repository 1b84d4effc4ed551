"""Sites that a partition does not observe, and why: passed on unchanged from the imagery to chips and masks.

Such a site fails for itself: the others go on, and it is *not observed* in every table, with its reason. Its reason
stands in a file of the partition, so that what is made from it changes with it.
"""

import math
from collections.abc import Mapping

import pandas as pd

from minemap_assets.geo.vector import write_parquet
from minemap_assets.imagery.source import NO_CLOUD_MASK
from minemap_assets.lake.partitions import Partition
from minemap_assets.lake.writer import PartitionWriter

FILE = "not_observed.parquet"
"""[site_id, reason], a row for each site that is not observed, by site id."""

NO_IMAGE = "there is no image of this site"
"""The reason of a site whose partition does not say more."""


def too_little_seen(clear_fraction: float, minimum: float, cloud_mask: str) -> str:
    """Why a site of which an image shows the share `clear_fraction`, less than `minimum`, is not observed."""
    limit = f"below the {minimum:.0%} that [imagery] min_clear_fraction asks for"
    if cloud_mask == NO_CLOUD_MASK:
        return f"the image covers {_percent(clear_fraction)} of its window, {limit}"
    return f"{_percent(clear_fraction)} of its window was seen clear of cloud, {limit}"


def most_unobserved(sites: int, share: float) -> int:
    """How many of a partition's sites may be unobserved before its check fails.

    One may always be, however few there are, unless the share is 0; all of them only where the share is 1.
    """
    if share >= 1.0 or not sites:
        return sites
    if share == 0.0:
        return 0
    return min(max(1, math.floor(share * sites + 1e-9)), sites - 1)


def write_not_observed(reasons: Mapping[str, str], writer: PartitionWriter) -> None:
    """Write the file into a partition, also where every site is observed."""
    rows = sorted(reasons.items())
    frame = pd.DataFrame({"site_id": [site for site, _ in rows], "reason": [reason for _, reason in rows]}, dtype="str")
    writer.write(FILE, lambda path: write_parquet(frame, path))


def read_not_observed(partition: Partition) -> dict[str, str]:
    """Reasons by site of a partition of imagery, chips or masks; of one that an older minemap made, what is missing."""
    if FILE not in partition.names():
        return {missing.item: missing.reason for missing in partition.manifest.missing}
    frame = pd.read_parquet(partition.file(FILE))
    return dict(zip(frame["site_id"].astype(str), frame["reason"].astype(str), strict=True))


def _percent(share: float) -> str:
    """A share in percent, never rounded up to a limit that it does not reach."""
    return f"{math.floor(share * 1000) / 10:g}%"
