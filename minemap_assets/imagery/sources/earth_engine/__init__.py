"""`earth-engine`: composites that Google Earth Engine computes."""
