"""A lake in which somebody else is faster: between the reading of an input and its being put back."""

from collections.abc import Callable
from pathlib import Path

from minemap_assets.lake.store import LocalStore


class MeddledStore(LocalStore):
    """A folder in which something happens once, just before the next conditional write to `path`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.path = ""
        self.meddle: Callable[[LocalStore], object] | None = None

    def before_next_write(self, path: str, meddle: Callable[[LocalStore], object]) -> None:
        """Say what happens."""
        self.path, self.meddle = path, meddle

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        meddle = self.meddle
        if meddle is not None and path == self.path:
            self.meddle = None
            meddle(LocalStore(Path(self.root)))
        return super().write_if(path, data, tag)
