"""How far does one threshold get? The best threshold on any band or index, over all sites of the demo world.

Prints a table and the ratio of the best intersection over union to the limit; exits with 1 where it reaches the limit,
because then the simulated world would be too easy to measure a learned model by.

    python benchmarks/threshold_baseline.py
"""

import sys

from support.difficulty import threshold_table

from minemap_assets.simulation.built_in_worlds import load_world
from minemap_assets.simulation.kind import SIMULATED

LIMIT = 0.6


def main() -> int:
    """Run the benchmark; the exit status says whether the limit holds."""
    world = load_world("demo")
    table = threshold_table(world, SIMULATED.products, world.reference_year)
    for product, rows in table.groupby("product", sort=False):
        print(f"\n{product}, {world.reference_year}, {len(rows)} features; the best ten")
        print(rows.head(10).drop(columns="product").round(3).to_string(index=False))
    best = table.iloc[0]
    ratio = best["iou"] / LIMIT
    print(f"\nbest: {best['feature']} of {best['product']}: IoU {best['iou']:.3f}; limit {LIMIT}; ratio {ratio:.2f}")
    return 0 if ratio < 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
