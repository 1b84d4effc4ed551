"""Planet's stand-in while the service publishes: `mosaics.json` is read anew for every listing.

Run it as `python -m servers.planet_over_time`, with the flags of `planet_basemaps.py`.
"""

import json
from typing import Any

from servers import planet_basemaps
from servers.planet_service import Options, Service


class PublishingService(Service):
    """Lists what the file names at the moment."""

    def __init__(self, options: Options) -> None:
        self._file = options.root / "mosaics.json"
        super().__init__(options)

    @property
    def mosaics(self) -> list[dict[str, Any]]:
        """The records as they are now."""
        found: list[dict[str, Any]] = json.loads(self._file.read_text())
        return found

    @mosaics.setter
    def mosaics(self, _: list[dict[str, Any]]) -> None:
        """What was there at the start is not kept."""


if __name__ == "__main__":
    planet_basemaps.Service = PublishingService  # type: ignore[attr-defined]
    planet_basemaps.main()
