-- Sites and years of which nothing was observed, and why: these are in no area, and not zero.
--
-- site_id: Id of the site.
-- region: Slug of the region that speaks for the site.
-- country_iso3: Code of the country in which the window's centre lies; empty for none.
-- year: Year of the imagery.
-- reason: Why nothing was observed; null where nobody said.
SELECT site_id, region, country_iso3, year, not_observed_reason AS reason
FROM site_panel
WHERE area_km2 IS NULL
ORDER BY site_id, year
