"""Where the files of an archive lie: below its root, in a ZIP archive there, or at a whole web address.

An index is a file like any other, and somebody else may have written it: what it names must not lead out of the folder
or the prefix that a person gave as the archive's root.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from minemap_assets.errors import BadInputError

CURL = "/vsicurl/"
"""Before this GDAL wants the URL of a file on a web server."""

ZIP = "/vsizip/"
"""Before this GDAL wants a file inside of a ZIP archive, and the archive's own path in braces."""

_VIRTUAL = {"http://": f"{CURL}http://", "https://": f"{CURL}https://", "s3://": "/vsis3/", "gs://": "/vsigs/"}
_OPEN = ("http://", "https://")
"""Addresses that an index may name whatever the root is; the others are read with this machine's credentials."""

_ZIPPED = re.compile(r"\.zip/", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)|file(?=:)", re.IGNORECASE)
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, halves of pairs (bytes that are no UTF-8), ends of lines and paragraphs."""


def is_remote(root: str) -> bool:
    """True for a URL prefix rather than a folder."""
    return root.startswith(tuple(_VIRTUAL))


def is_web(path: str) -> bool:
    """True for what GDAL would fetch over a network, by the address that it is given."""
    return path.startswith("/vsi") and not path.startswith(ZIP)


@dataclass(frozen=True)
class Member:
    """A file inside of a ZIP archive: the archive's path, and the file's name in it."""

    archive: Path
    name: str


def member_of(path: str) -> Member | None:
    """The file inside of a ZIP archive that GDAL's address stands for; None for any other address."""
    if not path.startswith(f"{ZIP}{{"):
        return None
    archive, _, name = path.removeprefix(f"{ZIP}{{").rpartition("}/")
    return Member(Path(archive), name)


def file_at(path: str) -> Path | None:
    """The file on this machine that GDAL's address stands for, or the ZIP archive that holds it; None on the web."""
    if is_web(path):
        return None
    member = member_of(path)
    return Path(path) if member is None else member.archive


def shown(path: str) -> str:
    """GDAL's address as a person would write it."""
    member = member_of(path)
    return path if member is None else f"{member.archive}/{member.name}"


def check_href(root: str, href: str) -> None:
    """Raise `BadInputError` where what an index names does not lie below the archive's root by its form alone."""
    reason = _fault(root, href)
    if reason is not None:
        raise BadInputError(f"{href!r} {reason}; an archive's files are named by their paths below its root")


def address(root: str, href: str) -> str:
    """What GDAL opens for a file of an archive: `href` is relative to the root, or a URL.

    A path that goes on behind a file named `*.zip` leads into that ZIP archive.
    Raises `BadInputError` where it leads out of the root, by its form or by a link in the file system.
    """
    check_href(root, href)
    whole = href if is_remote(href) else f"{root.rstrip('/')}/{href}"
    for scheme, virtual in _VIRTUAL.items():
        if whole.startswith(scheme):
            return virtual + whole.removeprefix(scheme)
    if whole.startswith("/vsi"):
        return whole
    if not _lies_below(Path(whole), Path(root)):
        raise BadInputError(
            f"{whole} is a link that leads out of {root}; put the file itself there, or index the folder it lies in"
        )
    return _in_zip(whole) or whole


def _in_zip(whole: str) -> str | None:
    """The address of a file in a ZIP archive; None for a path that leads into none. Raises `BadInputError`."""
    for found in _ZIPPED.finditer(whole):
        archive = Path(whole[: found.end() - 1])
        if archive.is_file():
            if "{" in whole or "}" in whole:
                raise BadInputError(f"{whole} has a brace in its name; rename the ZIP archive")
            return f"{ZIP}{{{archive.absolute()}}}/{whole[found.end() :]}"
    return None


def _fault(root: str, href: str) -> str | None:
    if not href or any(unicodedata.category(c) in _UNPRINTABLE for c in href):
        return "has characters that no name of a file may have"
    scheme = _SCHEME.match(href)
    if scheme is not None:
        same = is_remote(href) and root.startswith(f"{scheme[0]}://")
        return None if same or href.startswith(_OPEN) else f"is an address of the kind {scheme[0]!r}"
    if PurePosixPath(href).is_absolute() or Path(href).is_absolute():
        return "is an absolute path"
    parts = (unquote(href) if is_remote(root) else href).replace("\\", "/").split("/")
    return "leads upwards" if ".." in parts else None


def _lies_below(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        # links that go in a circle lead nowhere
        return False
