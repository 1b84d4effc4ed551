"""Checksums of local files, each computed once for as long as the file stays as it is."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minemap_assets.caching.lru import LruCache
from minemap_assets.lake.manifests import file_sha256

_REMEMBERED = 500_000
_WORKERS = 4
_SMALL = 1 << 16
"""Files of fewer bytes on average are hashed one after another: handing them to threads costs more than it saves."""

_Look = tuple[int, int, int, int]


class Checksums:
    """SHA-256 of files, by path. A file is read again when its size, its number or one of its times has changed."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._known: LruCache[str, tuple[_Look, str]] = LruCache(remembered)

    def of(self, path: Path) -> str:
        """The checksum of one file. Raises `FileNotFoundError`."""
        look = _look(path)
        known = self._known.get(str(path))
        if known is not None and known[0] == look:
            return known[1]
        found = file_sha256(path)
        self._known.put(str(path), (look, found))
        return found

    def learn(self, path: Path, checksum: str) -> None:
        """Take note of a checksum that was computed of the same bytes when they lay elsewhere."""
        self._known.put(str(path), (_look(path), checksum))

    def forget(self) -> None:
        """Read every file anew from now on."""
        self._known = LruCache(_REMEMBERED)

    def of_all(self, paths: Sequence[Path]) -> list[str]:
        """The checksums of many files, in their order."""
        if len(paths) < 2 or sum(path.stat().st_size for path in paths) < _SMALL * len(paths):
            return [self.of(path) for path in paths]
        with ThreadPoolExecutor(_WORKERS) as pool:
            return list(pool.map(self.of, paths))


def _look(path: Path) -> _Look:
    status = path.stat()
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


CHECKSUMS = Checksums()
"""What this process has read whole so far."""
