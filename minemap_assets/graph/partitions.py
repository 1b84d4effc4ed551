"""The partition dimensions of the asset graph and the mappings between them.

What belongs here: Dagster partition definitions, mappings, and turning a partition key into lake keys. What does not:
rules about which product or season serves a partition (`project.py`).
"""

import warnings

import dagster as dg

from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.polygons.config import WIDEST_WINDOW
from minemap_assets.project.project import FIRST_YEAR

year_partitions = dg.TimeWindowPartitionsDefinition(
    cron_schedule="0 0 1 1 *", start=str(FIRST_YEAR), fmt="%Y", end_offset=1
)
"""One partition a year; the running year is open."""

region_partitions = dg.DynamicPartitionsDefinition(name="region")
product_partitions = dg.StaticPartitionsDefinition(sorted(PRODUCTS))
region_year = dg.MultiPartitionsDefinition({"region": region_partitions, "year": year_partitions})
region_product = dg.MultiPartitionsDefinition({"product": product_partitions, "region": region_partitions})

with warnings.catch_warnings():
    # Mappings between dimensions are marked beta; the pinned version was tried with every one used here.
    warnings.simplefilter("ignore", dg.BetaWarning)
    region_of_multi = dg.MultiToSingleDimensionPartitionMapping("region")
    year_of_multi = dg.MultiToSingleDimensionPartitionMapping("year")
    window_of_years = dg.MultiPartitionMapping(
        {
            "region": dg.DimensionPartitionMapping("region", dg.IdentityPartitionMapping()),
            "year": dg.DimensionPartitionMapping(
                "year", dg.TimeWindowPartitionMapping(start_offset=-WIDEST_WINDOW, end_offset=WIDEST_WINDOW)
            ),
        }
    )


def lake_keys(partition_key: str | None) -> tuple[str, ...]:
    """The lake's keys of a Dagster partition key; multi-dimensional keys list dimensions alphabetically."""
    return () if partition_key is None else tuple(str(partition_key).split("|"))


def partition_key(keys: tuple[str, ...]) -> str | None:
    """The Dagster partition key of the lake's keys."""
    return "|".join(keys) if keys else None
