"""`archive`: a team's own GeoTIFF files, indexed where they lie."""
