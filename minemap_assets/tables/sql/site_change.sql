-- Mapped area of each site beside that of the year before, and what became of the mine.
--
-- site_id: Id of the site.
-- region: Slug of the region that speaks for the site.
-- country_iso3: Code of the country in which the window's centre lies; empty for none.
-- year: The later of the two years.
-- area_km2: Mapped area in square kilometres; null where nothing was observed.
-- previous_km2: Mapped area of the year before; null where nothing was observed.
-- change_km2: The difference; null where either year was not observed.
-- what: new (no earlier year shows any of it), expanded, contracted, gone, unchanged, nothing (in neither year), or not compared where either year was not observed.
-- new_mines_km2: The area of a new mine, else 0; null where not compared.
-- expansion_km2: What a mine that was there before has gained, else 0; null where not compared.
-- loss_km2: What a mine has lost, else 0; null where not compared.
-- compared_share: The lesser of the two years' observed shares of the site's own ground, 0 to 1.
-- provisional: True while either year may still change.
-- model_verdict: What the model in use was worth.
WITH first_seen AS (
    SELECT site_id, min(year) AS first_year
    FROM site_panel
    WHERE area_km2 > 0
    GROUP BY site_id
),

pairs AS (
    SELECT
        later.site_id,
        later.region,
        later.country_iso3,
        later.year,
        later.area_km2,
        earlier.area_km2 AS previous_km2,
        later.area_km2 - earlier.area_km2 AS change_km2,
        coalesce(first_seen.first_year = later.year, FALSE) AS is_new,
        least(later.observed_share, earlier.observed_share) AS compared_share,
        later.status <> 'final' OR earlier.status <> 'final' AS provisional,
        later.model_verdict
    FROM site_panel AS later
    INNER JOIN site_panel AS earlier ON earlier.site_id = later.site_id AND earlier.year = later.year - 1
    LEFT JOIN first_seen ON first_seen.site_id = later.site_id
)

SELECT
    site_id,
    region,
    country_iso3,
    year,
    area_km2,
    previous_km2,
    change_km2,
    CASE
        WHEN change_km2 IS NULL THEN 'not compared'
        WHEN area_km2 = 0 AND previous_km2 = 0 THEN 'nothing'
        WHEN is_new THEN 'new'
        WHEN area_km2 = 0 THEN 'gone'
        WHEN change_km2 > 0 THEN 'expanded'
        WHEN change_km2 < 0 THEN 'contracted'
        ELSE 'unchanged'
    END AS what,
    CASE WHEN change_km2 IS NOT NULL THEN CASE WHEN is_new THEN area_km2 ELSE 0 END END AS new_mines_km2,
    CASE WHEN change_km2 IS NOT NULL THEN CASE WHEN is_new THEN 0 ELSE greatest(change_km2, 0) END END AS expansion_km2,
    CASE WHEN change_km2 IS NOT NULL THEN greatest(-change_km2, 0) END AS loss_km2,
    compared_share,
    provisional,
    model_verdict
FROM pairs
ORDER BY site_id, year
