"""Imagery: yearly composites of every site on its own grid, whatever source the pixels come from."""
