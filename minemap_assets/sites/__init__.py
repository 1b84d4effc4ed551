"""Ground truth and sites: where the known mines are, and the grid each of them owns."""
