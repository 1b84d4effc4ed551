"""Grids, rasters, vectors and small pictures: geometry that knows nothing of mines."""
