"""The networks of the patch classifier, and the files they come from."""
