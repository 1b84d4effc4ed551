"""The room publication: what leaves the project, and whether it may."""
