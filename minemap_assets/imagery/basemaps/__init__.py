"""Planet basemaps as several sources see them: mosaics, quads, their files."""
