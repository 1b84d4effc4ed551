"""The figures of a year that a release is judged by: areas by country, coverage, products, and the model's verdict."""

from collections.abc import Mapping

import pandas as pd
from pydantic import Field

from minemap_assets.project.settings import StrictModel


class CountryFigures(StrictModel):
    """A country's mapped area in square kilometres; None where none of its sites was observed."""

    name: str
    area_km2: float | None


class YearFigures(StrictModel):
    """A year: what was mapped, from which products, how much of the sites was seen (0 to 1; None without sites), and
    what the model was worth when it was put in use (None where the tables do not say).
    """

    countries: dict[str, CountryFigures] = Field(default_factory=dict)
    products: tuple[str, ...] = ()
    covered_share: float | None = None
    verdict: str | None = None


Figures = Mapping[int, YearFigures]
"""Figures by year."""


def figures_of(countries: pd.DataFrame, panel: pd.DataFrame) -> YearFigures:
    """Figures of one year from its `country_summary` and `site_panel`."""
    areas = {
        str(iso3): CountryFigures(name=str(name), area_km2=None if pd.isna(area) else round(float(area), 6))
        for iso3, name, area in zip(countries["iso3"], countries["name"], countries["area_km2"], strict=True)
    }
    seen = panel.loc[panel["observed_share"] > 0.0, "product"].dropna()
    covered = panel["observed_share"].fillna(0.0).mean()
    verdicts = panel["model_verdict"].dropna()
    return YearFigures(
        countries=dict(sorted(areas.items())),
        products=tuple(sorted({str(product) for product in seen})),
        covered_share=None if pd.isna(covered) else round(float(covered), 6),
        verdict=None if verdicts.empty else str(verdicts.iloc[0]),
    )
