"""Make an installed set of packages fit for an image: `python docker/prune.py --variant cpu|cuda`.

Removes what no service uses (headers, static libraries, tests of other projects, descriptions of services that are
never asked, bytecode of modules that nothing imports), and refuses a build of torch that is not the variant's.
"""

import re
import shutil
import sys
import sysconfig
from argparse import ArgumentParser
from pathlib import Path

FOLDERS = (
    "**/tests",
    "**/__pycache__",  # the Dockerfile compiles again what a run imports
    "pyarrow/include",
    "pyarrow/src",
    "torch/include",
    "torch/test",
    "torch/share/cmake",
    "googleapiclient/discovery_cache/documents",  # Earth Engine's client asks the service for its description
)
"""Folders of the installed packages that are removed."""

FILES = (
    "**/*.a",
    "**/*.pxd",
    "**/*.pyx",
    "**/*.pyi",
    "**/*.map",
    "pyarrow/*flight*",
    "torch/bin/protoc*",
    "torch/bin/test_*",
    "torch/bin/*Test",
    "torch/lib/*test*.so",
)
"""Files that are removed."""

_VERSION = re.compile(r"^cuda\b.*=\s*(?P<cuda>None|'[^']*')", re.MULTILINE)


def prune(packages: Path) -> int:
    """Remove it from a folder of packages; returns how many bytes went."""
    folders = {folder for pattern in FOLDERS for folder in packages.glob(pattern) if folder.is_dir()}
    files = {file for pattern in FILES for file in packages.glob(pattern) if file.is_file()}
    files |= {file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()}
    freed = sum(file.stat().st_size for file in files)
    for file in files:
        file.unlink()
    for folder in sorted(folders):
        if folder.exists():  # not where it lay in another one
            shutil.rmtree(folder)
    return freed


def check_torch(packages: Path, variant: str) -> None:
    """Refuse a build of torch that is not the variant's."""
    found = _VERSION.search((packages / "torch/version.py").read_text(encoding="utf-8"))
    with_cuda = found is not None and found["cuda"] != "None"
    if variant == "cpu" and with_cuda:
        sys.exit(
            "This torch brings CUDA, gigabytes that VARIANT=cpu has no use for: name the index of builds without it "
            "with --build-arg TORCH_INDEX=..., or take VARIANT=cuda"
        )
    if variant == "cuda" and not with_cuda:
        sys.exit("This torch is a build without CUDA: leave TORCH_INDEX empty for VARIANT=cuda")


def main() -> None:
    """Check, then prune."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variant", choices=("cpu", "cuda"), required=True)
    variant = parser.parse_args().variant
    packages = Path(sysconfig.get_path("purelib"))
    check_torch(packages, variant)
    sys.stdout.write(f"removed {prune(packages) / 1e6:.0f} MB that no service uses\n")


if __name__ == "__main__":
    main()
