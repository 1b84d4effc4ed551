"""What an image installs besides the project itself: `python docker/wanted.py [EXTRA ...]`, a requirement a line.

The requirements are those of pyproject.toml in this folder's parent; requirements.lock says which release of each.
"""

import sys
import tomllib
from pathlib import Path


def wanted(extras: list[str]) -> list[str]:
    """Requirements of the project and of some of its extras. Raises `KeyError` for an extra that there is not."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(line for extra in extras for line in optional[extra])]


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in wanted(sys.argv[1:]))
