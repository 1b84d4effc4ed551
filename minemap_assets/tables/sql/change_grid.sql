-- Change of the mapped area by cell of the grid, of sites that were observed in both years.
--
-- Reads site_panel and site_grid. The geometry of the cells is added where this is run.
WITH first_seen AS (
    SELECT site_id, min(year) AS first_year
    FROM site_panel
    WHERE area_km2 > 0
    GROUP BY site_id
),

pairs AS (
    SELECT
        later.site_id,
        later.year,
        later.area_km2 IS NOT NULL AND earlier.area_km2 IS NOT NULL AS compared,
        coalesce(first_seen.first_year = later.year, FALSE) AS is_new,
        later.status <> 'final' OR earlier.status <> 'final' AS provisional
    FROM site_panel AS later
    INNER JOIN site_panel AS earlier ON earlier.site_id = later.site_id AND earlier.year = later.year - 1
    LEFT JOIN first_seen ON first_seen.site_id = later.site_id
),

-- what a site has in a cell in either year; none in one of them is zero there
either AS (
    SELECT site_id, year, cell_row, cell_column, area_km2, NULL AS previous_km2
    FROM site_grid
    UNION ALL
    SELECT site_id, year + 1 AS year, cell_row, cell_column, NULL AS area_km2, area_km2 AS previous_km2
    FROM site_grid
),

pieces AS (
    SELECT
        site_id,
        year,
        cell_row,
        cell_column,
        coalesce(sum(area_km2), 0) AS area_km2,
        coalesce(sum(previous_km2), 0) AS previous_km2
    FROM either
    GROUP BY site_id, year, cell_row, cell_column
),

changes AS (
    SELECT pieces.*, pairs.compared, pairs.is_new, pairs.provisional, pieces.area_km2 - pieces.previous_km2 AS change_km2
    FROM pieces
    INNER JOIN pairs ON pairs.site_id = pieces.site_id AND pairs.year = pieces.year
    ORDER BY pieces.site_id
)

SELECT
    cell_row,
    cell_column,
    year,
    sum(area_km2) FILTER (compared) AS area_km2,
    sum(previous_km2) FILTER (compared) AS previous_km2,
    sum(change_km2) FILTER (compared) AS change_km2,
    sum(CASE WHEN is_new THEN area_km2 ELSE 0 END) FILTER (compared) AS new_mines_km2,
    sum(CASE WHEN is_new THEN 0 ELSE greatest(change_km2, 0) END) FILTER (compared) AS expansion_km2,
    sum(greatest(-change_km2, 0)) FILTER (compared) AS loss_km2,
    count(DISTINCT site_id) AS sites_expected,
    count(DISTINCT site_id) FILTER (compared) AS sites_compared,
    bool_or(provisional) FILTER (compared) AS provisional
FROM changes
GROUP BY cell_row, cell_column, year
ORDER BY year, cell_row, cell_column
