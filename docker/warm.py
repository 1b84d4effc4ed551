"""Import what services and runs import, so that its bytecode is written into the image: `python docker/warm.py`."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import walk_packages

OURS = ("dagster_project", "minemap_assets")

THEIRS = (
    "dagster._cli",
    "dagster._daemon.cli",
    "dagster._grpc.server",
    "dagster_graphql.schema",
    "dagster_postgres",
    "dagster_webserver.app",
    "dagster_ray",
    "dagster_k8s",
    "ray",
    "torch",
    "transformers.models.segformer.modeling_segformer",
    "safetensors.torch",
    "rasterio.features",
    "rasterio.warp",
    "geopandas",
    "pyarrow.parquet",
    "duckdb",
    "zarr",
    "matplotlib.pyplot",
    "scipy.ndimage",
    "pystac_client",
    "planet",
    "ee",
)
"""What is imported only where it is used, or by another program; what is not installed is left out."""


def main() -> None:
    """Import it."""
    for name in OURS:
        for module in walk_packages(import_module(name).__path__, f"{name}."):
            if not module.name.endswith(".__main__"):
                import_module(module.name)
    for name in THEIRS:
        if find_spec(name.partition(".")[0]) is not None:
            import_module(name)
    sys.stdout.write(f"{len(sys.modules)} modules imported\n")


if __name__ == "__main__":
    main()
