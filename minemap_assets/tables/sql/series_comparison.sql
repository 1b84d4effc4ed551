-- Mapped area of each country beside that of every series that was made elsewhere. A series may cover other ground than
-- the regions of this project do: the coverage stands beside it.
--
-- series: Name of the series.
-- iso3: Code of the country or territory; empty for ground of no country.
-- name: Name of the country.
-- year: Year of the imagery.
-- mapped_km2: Mapped area in square kilometres; null where none of the country's sites was observed, or there is none.
-- series_km2: Area of the series.
-- difference_km2: Mapped minus series; null where either is.
-- ratio: Mapped divided by series; null where either is null or the series is zero.
-- sites_expected: Sites that should have been observed; null where there is none.
-- sites_observed: Sites of which some ground was observed; null where there is none.
-- provisional: True while the mapped area or that of the series may still change.
-- model_verdict: What the model in use was worth.
SELECT
    series_summary.series,
    series_summary.iso3,
    series_summary.country_name AS name,
    series_summary.year,
    mapped.area_km2 AS mapped_km2,
    series_summary.area_km2 AS series_km2,
    mapped.area_km2 - series_summary.area_km2 AS difference_km2,
    mapped.area_km2 / nullif(series_summary.area_km2, 0) AS ratio,
    mapped.sites_expected,
    mapped.sites_observed,
    coalesce(mapped.status <> 'final', FALSE) OR series_summary.status <> 'final' AS provisional,
    mapped.model_verdict
FROM series_summary
LEFT JOIN country_summary AS mapped ON mapped.iso3 = series_summary.iso3 AND mapped.year = series_summary.year
ORDER BY series_summary.series, series_summary.iso3, series_summary.year
