"""From calibrated masks to yearly mining polygons: outlines, temporal rule, merging, countries."""
