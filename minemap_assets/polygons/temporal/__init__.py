"""Rules that let neighbouring years decide whether a polygon is a mine."""
