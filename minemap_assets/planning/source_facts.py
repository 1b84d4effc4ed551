"""What is publicly known of each source: years, area, limits and terms of use, as data.

What belongs here: facts from documentation, and terms from settings. What does not: whether an account works
(`dagster_project/source_reports.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from minemap_assets.imagery.sources.earth_engine.config import SENTINEL2_TERMS, EarthEngineConfig
from minemap_assets.imagery.sources.planet.config import PlanetConfig
from minemap_assets.imagery.sources.stac.config import StacConfig


@dataclass(frozen=True, order=True)
class Terms:
    """Terms of use of pixels, and whether they allow passing them on."""

    text: str
    redistributable: bool

    def __str__(self) -> str:
        return f"{self.text} ({'may be passed on' if self.redistributable else 'pixels must not be passed on'})"


@dataclass(frozen=True)
class SourceFacts:
    """One source as its documentation describes it."""

    name: str
    years: str
    area: str
    limits: str


FACTS: Mapping[str, SourceFacts] = {
    "archive": SourceFacts("archive", "those of its files", "that of its files", "none"),
    "simulated": SourceFacts("simulated", "those of its world", "a world of its own", "none"),
    "planet-basemaps": SourceFacts(
        "planet-basemaps",
        "December 2015 to April 2025 (NICFI; access ended in January 2025, a paid successor has other series)",
        "tropics, 30 degrees north to south",
        "quads count as downloads of the plan; 10 requests/s",
    ),
    "stac": SourceFacts("stac", "2015 until now (few images before 2017)", "land worldwide", "no account, no quota"),
    "earth-engine": SourceFacts(
        "earth-engine",
        "2015 until now (basemaps: December 2015 to 2025)",
        "land worldwide (basemaps: tropics)",
        "48 MB an answer, 40 requests at a time, 150 EECU-hours a month without a billing account (non-commercial)",
    ),
}


def planet_terms(config: PlanetConfig) -> tuple[Terms, ...]:
    """Terms of the basemaps that the settings mean."""
    return (Terms(config.terms, config.redistributable),)


def stac_terms(config: StacConfig) -> tuple[Terms, ...]:
    """Terms of all collections, sorted, each once."""
    return tuple(sorted({Terms(c.terms, c.redistributable) for c in config.collections}))


def earth_engine_terms(config: EarthEngineConfig, product: str) -> Terms:
    """Terms of a product."""
    if product == "planet-nicfi":
        return Terms(config.nicfi_terms, False)
    return Terms(SENTINEL2_TERMS, True)
