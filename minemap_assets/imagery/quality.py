"""How good the imagery is: checks and tables of clarity, computed from the index alone.

What belongs here: pure functions that return facts. What does not: what Dagster shows or blocks (`checks.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class CoverageCheck:
    """Whether imagery covers the sites well enough: the share of sites at or above the minimum, and the others."""

    passed: bool
    sites_expected: int
    sites_observed: int
    minimum: float
    below_minimum: tuple[str, ...]
    without_imagery: tuple[str, ...]

    @property
    def observed_share(self) -> float:
        """Share of the expected sites whose imagery is clear enough, 0 to 1; 1 where none is expected."""
        return self.sites_observed / self.sites_expected if self.sites_expected else 1.0


def check_coverage(
    index: pd.DataFrame, site_ids: Sequence[str], min_clear_fraction: float, *, min_share: float = 1.0
) -> CoverageCheck:
    """Compare an imagery index with the sites it should cover.

    Passes where at least `min_share` of the sites have a clear fraction of at least `min_clear_fraction`. Rows of
    other sites are ignored.
    """
    clear = dict(zip(index["site_id"], index["clear_fraction"], strict=True))
    expected = sorted(set(site_ids))
    without = tuple(site for site in expected if site not in clear)
    below = tuple(site for site in expected if site in clear and clear[site] < min_clear_fraction)
    observed = len(expected) - len(without) - len(below)
    passed = observed >= min_share * len(expected)
    return CoverageCheck(passed, len(expected), observed, min_clear_fraction, below, without)


def clarity_summary(indexes: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Clear fraction by year: one row a year and product, sorted.

    Columns: year, product, sites, mean, sd (of the sample; null for a single site), p5, p25, p50, p75, p95. The
    paper's table S2 gives the same figures for its mosaics, in percent.
    """
    rows = pd.concat([i[["year", "product", "clear_fraction"]] for i in indexes]) if indexes else None
    records = []
    for key, group in rows.groupby(["year", "product"], sort=True) if rows is not None else ():
        values = group["clear_fraction"].to_numpy(dtype=np.float64)
        quantiles = np.percentile(values, PERCENTILES)
        records.append(
            {
                "year": key[0],
                "product": key[1],
                "sites": len(values),
                "mean": float(values.mean()),
                "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            }
            | {f"p{p}": float(q) for p, q in zip(PERCENTILES, quantiles, strict=True)}
        )
    types = {"year": "int64", "product": "str", "sites": "int64"}
    types |= dict.fromkeys(("mean", "sd", *(f"p{p}" for p in PERCENTILES)), "float64")
    return pd.DataFrame(records, columns=list(types)).astype(types)
