"""Names that say what a file was made for and what it holds: `<stem>-<fingerprint>-<checksum><suffix>`.

Fingerprint and checksum are the first 12 hexadecimal digits of theirs. Where several machines write, a mark of the
writer follows (6 digits), so that no two ever write the same name. Folders, and plain files of such stores, carry one
mark alone.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

_DIGITS = 12

_NAME = re.compile(
    r"(?P<start>[^/]+-[0-9a-f]{12})-(?P<checksum>[0-9a-f]{12})(?P<writer>-[0-9a-f]{6})?(?P<suffix>\.[^./]+)?"
)
_MARKED = re.compile(r"[^/]+-[0-9a-f]{12}(-[0-9a-f]{6})?(\.[^./]+)?")


@dataclass(frozen=True)
class MarkedName:
    """What a name says: `item` is the name without checksum and writer, `checksum` the start of the file's."""

    item: str
    checksum: str

    @classmethod
    def parse(cls, path: str) -> "MarkedName | None":
        """From a file's path below its partition; None for a name that does not say as much."""
        found = _NAME.fullmatch(path)
        return None if found is None else cls(f"{found['start']}{found['suffix'] or ''}", found["checksum"])


def marked(name: str, *marks: str, suffix: bool = True) -> str:
    """A name with the start of each mark before its suffix."""
    path = PurePosixPath(name)
    stem = "-".join((path.stem, *(mark[:_DIGITS] for mark in marks)))
    return path.with_name(f"{stem}{path.suffix if suffix else ''}").as_posix()


def signed(path: str, writer: str) -> str:
    """The marked name of a file as another writer would give it."""
    found = _NAME.fullmatch(path)
    if found is None:
        raise ValueError(f"{path!r} carries no marks")
    return f"{found['start']}-{found['checksum']}-{writer}{found['suffix'] or ''}"


def is_marked(path: str) -> bool:
    """True for the name of a file, not in a folder, that carries any mark."""
    return _MARKED.fullmatch(path) is not None
