"""Vector tiles: the polygons of all years, and what changed between them, as one PMTiles file."""
