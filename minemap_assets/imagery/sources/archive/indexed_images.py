"""The images of one product in all of a project's archives, as their indexes list them; no file is opened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minemap_assets.imagery.files.images import ArchiveIndex, Image
from minemap_assets.lake.manifests import digest

NAME = "archive"
CODE_VERSION = "4"
"""Raised when the same files would give other pixels."""

_COMBINED = "median"
"""How the pictures of a season become one (`files/compositing.py`); composites' fingerprints hold it."""


@dataclass(frozen=True)
class IndexedImage:
    """An image and the archive it lies in."""

    root: str
    archive: str
    image: Image

    @property
    def days(self) -> tuple[str, str]:
        """First and last day, ISO."""
        return self.image.start.isoformat(), self.image.end.isoformat()


def images_of(product: str, indexes: Iterable[ArchiveIndex]) -> tuple[IndexedImage, ...]:
    """Images of a product, sorted by their days."""
    found = (IndexedImage(i.root, i.name, image) for i in indexes for image in i.images if image.product == product)
    return tuple(sorted(found, key=lambda f: (f.days, f.archive, f.image.id)))


def revision_of(images: Sequence[IndexedImage]) -> str:
    """Changes with any of the images' files, and with what is made of them."""
    return digest([CODE_VERSION, _COMBINED, [[f.archive, f.image.model_dump(mode="json")] for f in images]])
