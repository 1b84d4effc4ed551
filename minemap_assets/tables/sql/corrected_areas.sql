-- Countries and years whose mapped area a person has corrected: before and after.
--
-- iso3: Code of the country or territory; empty for ground of no country.
-- name: Name of the country or territory.
-- year: Year of the imagery.
-- uncorrected_km2: Mapped area in square kilometres before polygons were rejected or redrawn.
-- area_km2: Mapped area as it stands.
-- corrected_km2: What the corrections added; below zero for what they took away.
SELECT iso3, name, year, uncorrected_km2, area_km2, area_km2 - uncorrected_km2 AS corrected_km2
FROM country_summary
WHERE abs(area_km2 - uncorrected_km2) > 1e-9
ORDER BY iso3, year
