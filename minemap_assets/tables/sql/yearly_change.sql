-- Change of the mapped area from year to year over all countries: of sites observed in both years only, by its cause.
--
-- year: The later of the two years.
-- sites_expected: Sites that should have been observed.
-- sites_compared: Sites of which some ground was observed in both years.
-- compared_km2: Mapped area of those sites, in square kilometres.
-- compared_previous_km2: Their mapped area of the year before.
-- compared_change_km2: The difference: new_mines_km2 + expansion_km2 - loss_km2.
-- new_mines: Sites of which no earlier year shows any mapped area.
-- new_mines_km2: Mapped area of those.
-- expansion_km2: What mines that were there before have gained.
-- loss_km2: What mines have lost; not below zero.
-- provisional: True while any of it may still change.
-- model_verdict: What the model in use was worth; several where the rows differ.
SELECT
    year,
    count(*) AS sites_expected,
    count(change_km2) AS sites_compared,
    sum(area_km2) FILTER (change_km2 IS NOT NULL) AS compared_km2,
    sum(previous_km2) FILTER (change_km2 IS NOT NULL) AS compared_previous_km2,
    sum(change_km2) AS compared_change_km2,
    count(*) FILTER (what = 'new') AS new_mines,
    sum(new_mines_km2) AS new_mines_km2,
    sum(expansion_km2) AS expansion_km2,
    sum(loss_km2) AS loss_km2,
    bool_or(provisional) AS provisional,
    string_agg(DISTINCT model_verdict, '; ') AS model_verdict
FROM site_change
GROUP BY year
ORDER BY year
