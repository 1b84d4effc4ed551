"""Files that cannot be read in parts (JPEG 2000): fetched whole, once, and kept as long as there is room.

JPEG 2000 as ESA writes it has no table of where its tiles lie, so that even a small part of it means going through the
file from its beginning.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from odc.geo.geobox import GeoBox

from minemap_assets.caching.loading_cache import LoadingCache
from minemap_assets.errors import BadInputError, RetryableError
from minemap_assets.geo.raster_files import alone, open_raster
from minemap_assets.imagery.files.resampling import ground_of
from minemap_assets.imagery.files.warping import Window
from minemap_assets.imagery.sources.stac.blocks import Part, RemoteFile
from minemap_assets.lake.kept_files import KeptFiles
from minemap_assets.lake.locks import LOCK, hold

if TYPE_CHECKING:
    import rasterio.io

_END = b"\xff\xd9"
"""The last bytes of a codestream (ISO/IEC 15444-1, marker EOC)."""

_TRIES = 5
"""How often a file is fetched for one read before it is given up that it stays."""

_REMEMBERED = 1024


class WholeFiles:
    """Remote JPEG 2000 files, each with a copy here. Safe from several threads and processes."""

    def __init__(self, kept: KeptFiles) -> None:
        self._kept = kept
        self._grounds: LoadingCache[str, GeoBox] = LoadingCache(_REMEMBERED)

    def ground(self, remote: RemoteFile) -> GeoBox:
        """The ground that a file shows. Raises as `read` does."""
        return self._grounds.get(remote.key, lambda: self._ground(remote))

    def nodata(self, remote: RemoteFile) -> float | None:  # noqa: ARG002
        """The format has no tag for it."""
        return None

    def block_rows(self, remote: RemoteFile) -> int:  # noqa: ARG002
        """Any row will do."""
        return 1

    def read(self, remote: RemoteFile, window: Window | None = None) -> Part:
        """A part of a file at full resolution, or all of it at an eighth.

        Raises as `Client.download` does, and `RetryableError` where it cannot be read from here.
        """
        with self._opened(remote) as source:
            used = {remote.key: self._path(remote).stat().st_size}
            if window is None:
                shape = (max(1, source.height // 8), max(1, source.width // 8))
                numbers: Any = source.read(1, out_shape=shape)
                return Part(numbers, used)
            rows, columns = window.slices
            numbers = source.read(1, window=((rows.start, rows.stop), (columns.start, columns.stop)))
            return Part(np.asarray(numbers), used)

    def _ground(self, remote: RemoteFile) -> GeoBox:
        with self._opened(remote) as source:
            return ground_of(source)

    @contextmanager
    def _opened(self, remote: RemoteFile) -> "Iterator[rasterio.io.DatasetReader]":
        from rasterio.errors import RasterioError

        path = self._path(remote)
        for _ in range(_TRIES):
            if not path.is_file():
                remote.client.download(remote.url, path, verify=_check)
                self._kept.fit(path)
            with hold(path.with_suffix(LOCK), math.inf, shared=True):
                if path.is_file():
                    self._kept.use(path)
                    try:
                        with alone(), open_raster(str(path)) as source:
                            yield source
                    except RasterioError as error:
                        path.unlink(missing_ok=True)
                        raise RetryableError(f"{remote.url} cannot be read from its copy here ({error})") from error
                    return
        raise RetryableError(f"{remote.url} does not stay on disk long enough to be read; raise cache_gb in [imagery]")

    def _path(self, remote: RemoteFile) -> Path:
        return self._kept.root / "stac" / remote.key[:2] / remote.key / "whole.jp2"


def _check(path: Path) -> None:
    """Raises `BadInputError` where a file does not end as a codestream does."""
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - len(_END)))
        if handle.read() != _END:
            raise BadInputError(f"{path.name} is cut off")
