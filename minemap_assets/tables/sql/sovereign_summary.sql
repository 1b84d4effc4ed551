-- Mapped area and coverage of each state and year with its territories.
--
-- sovereign_iso3: Code of the state; empty for ground of no country.
-- sovereign_name: Name of the state.
-- year: Year of the imagery.
-- area_km2: Mapped area in square kilometres, territories included; null where none of their sites was observed.
-- territories: Codes of the countries and territories that are in it.
-- sites_expected: Sites that should have been observed.
-- sites_observed: Sites of which some ground was observed.
-- final: True where no part of it can change any more.
-- model_verdict: What the model in use was worth; several where the rows differ.
SELECT
    sovereign_iso3,
    any_value(sovereign_name) AS sovereign_name,
    year,
    sum(area_km2) AS area_km2,
    list(iso3 ORDER BY iso3) AS territories,
    sum(sites_expected)::BIGINT AS sites_expected,
    sum(sites_observed)::BIGINT AS sites_observed,
    bool_and(status = 'final') AS final,
    string_agg(DISTINCT model_verdict, '; ') AS model_verdict
FROM country_summary
GROUP BY sovereign_iso3, year
ORDER BY sovereign_iso3, year
