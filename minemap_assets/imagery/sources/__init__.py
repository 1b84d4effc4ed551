"""One module a source; each fulfils `minemap_assets.imagery.source.ImagerySource`."""
