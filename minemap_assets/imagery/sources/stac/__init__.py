"""`stac`: Sentinel-2 from open catalogues, block by block."""
