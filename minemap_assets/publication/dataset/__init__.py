"""The dataset as a folder of files that a person downloads, opens and cites."""
