-- What happened to mines from year to year, by the chain of all years of each pixel: mines are connected ground with an
-- id of its own through time, and not sites. Changes are those since the last year that observed a mine.
--
-- year: Year of the imagery.
-- mines: Mines of the record, whether or not they are visible in the year.
-- mines_observed: Those of which at least half of the ground was observed.
-- area_km2: Their mapped area, in square kilometres.
-- expected_km2: Their expected area: the sum of the posteriors over the ground that was mined in any year.
-- appeared: Mines that appeared.
-- appeared_km2: Their area.
-- expanded_km2: Area that mines which were there before have gained.
-- contracted_km2: Area that mines have lost which are still there; not below zero.
-- no_longer_visible: Mines that are no longer visible.
-- no_longer_visible_km2: Area that these have lost; not below zero.
-- expected_gain_km2: Expected area on which mining began.
-- expected_loss_km2: Expected area on which mining ended.
-- provisional: True while any of it may still change.
SELECT
    year,
    count(*) AS mines,
    count(*) FILTER (event <> 'not observed') AS mines_observed,
    sum(area_km2) FILTER (event <> 'not observed') AS area_km2,
    sum(expected_km2) FILTER (event <> 'not observed') AS expected_km2,
    count(*) FILTER (event = 'appeared') AS appeared,
    coalesce(sum(area_km2) FILTER (event = 'appeared'), 0) AS appeared_km2,
    coalesce(sum(change_km2) FILTER (event = 'expanded'), 0) AS expanded_km2,
    -coalesce(sum(change_km2) FILTER (event = 'contracted'), 0) AS contracted_km2,
    count(*) FILTER (event = 'no longer visible') AS no_longer_visible,
    -coalesce(sum(change_km2) FILTER (event = 'no longer visible'), 0) AS no_longer_visible_km2,
    sum(gained_km2) AS expected_gain_km2,
    sum(lost_km2) AS expected_loss_km2,
    bool_or(status <> 'final') AS provisional
FROM mine_years
GROUP BY year
ORDER BY year
