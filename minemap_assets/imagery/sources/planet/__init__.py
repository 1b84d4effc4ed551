"""`planet-basemaps`: the mosaics of Planet, quad by quad."""
