-- country_summary of the latest year.
SELECT *
FROM country_summary
WHERE year = (SELECT max(year) FROM country_summary)
ORDER BY area_km2 DESC NULLS LAST, iso3
