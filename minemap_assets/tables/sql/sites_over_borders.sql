-- Sites whose mine goes on beyond the border of their region, where no other region observes it.
--
-- site_id: Id of the site.
-- region: Slug of the region that speaks for the site.
-- year: Year of the imagery.
-- area_km2: Mapped area inside the regions, in square kilometres.
-- clipped_km2: Mapped beyond them, before the temporal rule: in no area.
SELECT site_id, region, year, area_km2, clipped_km2
FROM site_panel
WHERE clipped_km2 > 0
ORDER BY clipped_km2 DESC, site_id, year
