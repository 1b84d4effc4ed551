-- Mapped area of each country beside that of the year before, and where the change comes from. Between the totals of
-- two years stands also what was observed in one of them only: the parts therefore add up to compared_change_km2, that
-- of the sites that were observed in both.
--
-- iso3: Code of the country or territory; empty for ground of no country.
-- name: Name of the country or territory.
-- year: The later of the two years.
-- area_km2: Mapped area in square kilometres; null where none of the country's sites was observed.
-- previous_km2: Mapped area of the year before; null where none of the country's sites was observed.
-- change_km2: The difference of the two totals; null where either is.
-- sites_expected: Sites that should have been observed.
-- sites_compared: Sites of which some ground was observed in both years.
-- compared_share: Mean over those of the lesser of their two observed shares, 0 to 1.
-- compared_km2: Mapped area of those sites.
-- compared_previous_km2: Their mapped area of the year before.
-- compared_change_km2: The difference: new_mines_km2 + expansion_km2 - loss_km2.
-- new_mines: Sites of which no earlier year shows any mapped area.
-- new_mines_km2: Mapped area of those.
-- expansion_km2: What mines that were there before have gained.
-- loss_km2: What mines have lost; not below zero.
-- provisional: True while either year may still change.
-- status: Status of the later year.
-- model_verdict: What the model in use was worth.
WITH of_sites AS (
    SELECT
        country_iso3,
        year,
        count(*) FILTER (change_km2 IS NOT NULL) AS sites_compared,
        avg(compared_share) FILTER (change_km2 IS NOT NULL) AS compared_share,
        sum(area_km2) FILTER (change_km2 IS NOT NULL) AS compared_km2,
        sum(previous_km2) FILTER (change_km2 IS NOT NULL) AS compared_previous_km2,
        sum(change_km2) AS compared_change_km2,
        count(*) FILTER (what = 'new') AS new_mines,
        sum(new_mines_km2) AS new_mines_km2,
        sum(expansion_km2) AS expansion_km2,
        sum(loss_km2) AS loss_km2
    FROM site_change
    GROUP BY country_iso3, year
)

SELECT
    later.iso3,
    later.name,
    later.year,
    later.area_km2,
    earlier.area_km2 AS previous_km2,
    later.area_km2 - earlier.area_km2 AS change_km2,
    later.sites_expected,
    coalesce(of_sites.sites_compared, 0) AS sites_compared,
    of_sites.compared_share,
    of_sites.compared_km2,
    of_sites.compared_previous_km2,
    of_sites.compared_change_km2,
    coalesce(of_sites.new_mines, 0) AS new_mines,
    of_sites.new_mines_km2,
    of_sites.expansion_km2,
    of_sites.loss_km2,
    later.status <> 'final' OR coalesce(earlier.status <> 'final', FALSE) AS provisional,
    later.status,
    later.model_verdict
FROM country_summary AS later
LEFT JOIN country_summary AS earlier ON earlier.iso3 = later.iso3 AND earlier.year = later.year - 1
LEFT JOIN of_sites ON of_sites.country_iso3 = later.iso3 AND of_sites.year = later.year
ORDER BY later.iso3, later.year
