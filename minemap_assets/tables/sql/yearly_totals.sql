-- Mapped area, polygons and coverage of each year over all countries and unassigned ground.
--
-- year: Year of the imagery.
-- area_km2: Mapped area in square kilometres, over all countries and unassigned ground; ground counts once.
-- uncorrected_km2: The same before a person rejected or redrew polygons.
-- clipped_km2: What is mapped beyond the borders of the regions, and in no area.
-- polygons: Mining polygons.
-- sites_expected: Sites that should have been observed.
-- sites_observed: Sites of which some ground was observed.
-- final: True where no row of the year can change any more.
-- model_verdict: What the model in use was worth; several where the rows differ.
SELECT
    year,
    sum(area_km2) AS area_km2,
    sum(uncorrected_km2) AS uncorrected_km2,
    sum(clipped_km2) AS clipped_km2,
    sum(polygons)::BIGINT AS polygons,
    sum(sites_expected)::BIGINT AS sites_expected,
    sum(sites_observed)::BIGINT AS sites_observed,
    bool_and(status = 'final') AS final,
    string_agg(DISTINCT model_verdict, '; ') AS model_verdict
FROM country_summary
GROUP BY year
ORDER BY year
