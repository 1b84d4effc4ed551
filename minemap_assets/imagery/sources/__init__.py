"""One package a source; each states itself as one `SourceKind` in its `kind.py`."""
