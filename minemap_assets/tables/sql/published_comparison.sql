-- Mapped area of each country beside what the paper published (Table S1), of sites within its latitudes. Countries and
-- years that it does not cover are named, and not compared.
--
-- iso3: Code of the country, or of the one under which the publication counts a territory.
-- name: Name of the country; null where no country has that code.
-- year: Year of the imagery.
-- coverage: compared, or why not: excluded, beyond its latitudes, no country, year not published, or not listed.
-- mapped_km2: Mapped area in square kilometres, of sites whose centre lies within the latitudes of the publication; null where none was observed.
-- published_km2: Published area; null where nothing was published.
-- difference_km2: Mapped minus published; null where they are not compared.
-- ratio: Mapped divided by published; null where they are not compared.
-- sites_expected: Sites within the latitudes that should have been observed.
-- sites_observed: Those of which some ground was observed.
-- provisional: True while the mapped area may still change.
-- model_verdict: What the model in use was worth; several where the rows differ.
WITH bound AS (
    SELECT any_value(latitude) AS latitude
    FROM published_coverage
),

covered AS (
    SELECT
        coalesce(published_coverage.counted_as, site_panel.country_iso3) AS iso3,
        coalesce(published_coverage.coverage = 'excluded', FALSE) AS excluded,
        abs(site_panel.latitude) <= bound.latitude AS within,
        site_panel.year,
        site_panel.area_km2,
        site_panel.status,
        site_panel.model_verdict
    FROM site_panel
    CROSS JOIN bound
    LEFT JOIN published_coverage ON published_coverage.iso3 = site_panel.country_iso3
),

mapped AS (
    SELECT
        iso3,
        year,
        excluded,
        sum(area_km2) FILTER (within) AS mapped_km2,
        count(*) FILTER (within) AS sites_expected,
        count(area_km2) FILTER (within) AS sites_observed,
        bool_or(status <> 'final') AS provisional,
        string_agg(DISTINCT model_verdict, '; ') AS model_verdict
    FROM covered
    GROUP BY iso3, year, excluded
),

beside AS (
    SELECT
        mapped.*,
        published.area_km2 AS published_km2,
        CASE
            WHEN mapped.iso3 = '' THEN 'no country'
            WHEN mapped.excluded THEN 'excluded'
            WHEN mapped.sites_expected = 0 THEN 'beyond its latitudes'
            WHEN mapped.year NOT IN (SELECT year FROM published_country_area) THEN 'year not published'
            WHEN published.area_km2 IS NULL THEN 'not listed'
            ELSE 'compared'
        END AS coverage
    FROM mapped
    LEFT JOIN published_country_area AS published ON published.iso3 = mapped.iso3 AND published.year = mapped.year
),

names AS (
    SELECT iso3, any_value(name) AS name
    FROM country_summary
    GROUP BY iso3
)

SELECT
    beside.iso3,
    names.name,
    beside.year,
    beside.coverage,
    beside.mapped_km2,
    beside.published_km2,
    CASE WHEN beside.coverage = 'compared' THEN beside.mapped_km2 - beside.published_km2 END AS difference_km2,
    CASE WHEN beside.coverage = 'compared' THEN beside.mapped_km2 / beside.published_km2 END AS ratio,
    beside.sites_expected,
    beside.sites_observed,
    beside.provisional,
    beside.model_verdict
FROM beside
LEFT JOIN names ON names.iso3 = beside.iso3
ORDER BY beside.iso3, beside.year
