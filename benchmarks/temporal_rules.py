"""How well temporal rules recover areas and years: the chain of years, the published rule and MapBiomas' recipe.

On simulated mines with known truth; on published yearly mining areas with injected flicker; and in years of which
little was seen. Run: `MINEMAP_TEST_DATA=... python benchmarks/temporal_rules.py [series]`. Prints one JSON object;
without the folder of real series it measures the simulated ones. Goals that are missed make it fail.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from support.mine_series import Errors, Series, simulated
from support.real_series import bare_ground, flickering, lourenco
from support.temporal_scores import chain, interval_cover, mean_scores, parity, rules, yearly_areas

from minemap_assets.polygons.config import PolygonsConfig
from minemap_assets.polygons.temporal.chain import decide
from minemap_assets.polygons.temporal.hmm import Chances

PIXEL_M, NATIVE_M = 5.0, 30.0
"""Simulated pixels are 5 m wide; MapBiomas' recipe takes them for its own, so that its least area of 1 ha is 12 pixels.
"""

SCENARIOS = {
    "realistic": Errors(),
    "without_cloud": Errors(clouded=0.0),
    "very_cloudy": Errors(clouded=0.35),
    "lasting_errors": Errors(persistent=0.6),
    "weak_model": Errors(separation=2.2),
}
FIRST_SEED = 1_000
FLICKER = (0.05, 0.1, 0.2)
GAPS = (1995, 2002)
GOALS = (
    ("default", "area_error"),
    ("default", "ground_first_year"),
    ("default", "ground_last_year"),
    ("history", "mine_first_year"),
)
OTHERS = ("parity", "mapbiomas")


def on_simulated(config: PolygonsConfig, series: int) -> dict[str, object]:
    """Mean scores of each rule for each kind of error."""
    found: dict[str, object] = {}
    for name, errors in SCENARIOS.items():
        made = [simulated(FIRST_SEED + n, errors) for n in range(series)]
        found[name] = mean_scores([(rules(one, config, PIXEL_M, NATIVE_M), one) for one in made])
    realistic = [simulated(FIRST_SEED + n, Errors()) for n in range(series)]
    found["first_year_in_its_95_percent_range"] = interval_cover(realistic, Chances.of(config))
    return found


def on_lourenco(config: PolygonsConfig, folder: Path) -> dict[str, object]:
    """How far each rule's yearly areas are from the published ones, in shares of these."""
    truth = lourenco(folder)
    return {
        f"{flicker:.0%}": yearly_areas(rules(flickering(truth, flicker, 1), config, NATIVE_M), truth)
        for flicker in FLICKER
    }


def in_gap_years(chances: Chances, folder: Path) -> dict[str, object]:
    """Areas of bare ground in a year that saw little, against its neighbours.

    `kept` is the share of the ground that both neighbours have and the gap year has too; `invented` what neither of
    them has, in shares of the gap year's area.
    """
    stored = bare_ground(folder)
    years = sorted(stored)
    series = Series(np.zeros((len(years), *stored[years[0]].shape), dtype=bool), np.stack([*stored.values()]), 0.5)
    answers = {"each_year_alone": series.masks, "parity": parity(series), "default": chain(series, chances)}
    found: dict[str, object] = {}
    for year in GAPS:
        at = years.index(year)
        for name, answer in answers.items():
            before, gap, after = answer[at - 1 : at + 2]
            around = (before.sum() + after.sum()) / 2.0
            found[f"{year} {name}"] = {
                "observed": round(float(series.observed[at].mean()), 3),
                "area_against_mean_of_neighbours": round(float(gap.sum() / around), 3),
                "kept": round(float((gap & before & after).sum() / max((before & after).sum(), 1)), 3),
                "invented": round(float((gap & ~before & ~after).sum() / max(gap.sum(), 1)), 3),
            }
    return found


def speed(chances: Chances) -> float:
    """CPU milliseconds to decide one year of 512 x 512 pixels from five."""
    series = simulated(FIRST_SEED, Errors(), side=512, years=5, mines=20)
    years = range(5)
    stored = {year: series.stored[year] for year in years}
    thresholds, clarity = dict.fromkeys(years, series.threshold), dict.fromkeys(years, 1.0)
    decide(stored, thresholds, clarity, 2, chances)
    begun = time.process_time()
    for _ in range(20):
        decide(stored, thresholds, clarity, 2, chances)
    return round((time.process_time() - begun) / 20 * 1e3, 2)


def missed(result: dict[str, dict]) -> list[str]:
    """Goals that this run missed."""
    found = []
    scores = result["simulated"]["realistic"]
    for name, goal in GOALS:
        found += [f"{goal} against {o}" for o in OTHERS if scores[name][goal] >= scores[o][goal]]
    for flicker, areas in result.get("lourenco", {}).items():
        found += [f"areas at {flicker} against {o}" for o in OTHERS if areas["default"]["error"] >= areas[o]["error"]]
    for name, gap in result.get("gap_years", {}).items():
        if name.endswith("default") and not (0.85 <= gap["area_against_mean_of_neighbours"] <= 1.15):
            found.append(f"area in {name}")
    return found


def main() -> None:
    """Measure everything and print it."""
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    config = PolygonsConfig()
    chances = Chances.of(config)
    result: dict[str, dict] = {
        "chances": {"appear": chances.appear, "disappear": chances.disappear, "trust": chances.trust},
        "simulated": on_simulated(config, series),
    }
    data = os.environ.get("MINEMAP_TEST_DATA")
    if data:
        result["lourenco"] = on_lourenco(config, Path(data) / "mapbiomas-lourenco-1985-2020")
        result["gap_years"] = in_gap_years(chances, Path(data) / "forestoolbox-madre-de-dios-pv")
    result["milliseconds_of_512_x_512_and_5_years"] = {"decide": speed(chances)}
    result["missed"] = missed(result)
    print(json.dumps(result, indent=1))
    if result["missed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
