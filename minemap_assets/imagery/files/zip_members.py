"""Files inside of ZIP archives, read in place: which there are, and the bytes of one.

Somebody else may have written the archive: what it says of its files is not believed where it cannot be.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from minemap_assets.errors import BadInputError
from minemap_assets.imagery.files.addresses import member_of

MOST_BYTES = 2**31
"""Uncompressed bytes of one file in an archive; no band of a scene has more."""

_MOST_FILES = 100_000
_MOST_SQUEEZED = 100
"""A file may be this many times smaller in the archive."""

_SMALL = 2**20
"""Files of up to so many bytes may be squeezed as far as they can be."""

_PIECE = 2**20
_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError)
"""What comes of an archive that points to where nothing is."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def member_sizes(archive: Path) -> Mapping[str, int]:
    """Uncompressed bytes of each file in an archive, by its name, sorted.

    Raises `BadInputError` where the archive is cut off or damaged, or where it is none to be read in place.
    """
    sizes: dict[str, int] = {}
    with _opened(archive) as opened:
        found = opened.infolist()
    if len(found) > _MOST_FILES:
        raise BadInputError(f"{archive} holds {len(found):,} files, more than any product; unpack what you need of it")
    for info in found:
        if info.is_dir():
            continue
        fault = _fault(info)
        if info.filename in sizes:
            fault = "is there twice"
        if fault is not None:
            raise BadInputError(f"{archive}/{info.filename} {fault}; unpack the ZIP archive, and index the folder")
        sizes[info.filename] = info.file_size
    return dict(sorted(sizes.items()))


@contextmanager
def open_bytes(path: str) -> Iterator[BinaryIO]:
    """The bytes of a file on this machine, also inside of a ZIP archive, by GDAL's address for it.

    Raises `BadInputError` where the archive or the file in it is cut off or damaged.
    """
    member = member_of(path)
    if member is None:
        with Path(path).open("rb") as plain:
            yield plain
        return
    with _opened(member.archive) as archive:
        damaged = BadInputError(f"{member.archive}/{member.name} is cut off or damaged; fetch the ZIP archive again")
        try:
            opened = archive.open(member.name)
        except KeyError as error:
            raise BadInputError(f"{member.archive} no longer holds {member.name}; index the archive again") from error
        except (*_DAMAGE, NotImplementedError, RuntimeError, ValueError) as error:
            raise damaged from error
        try:
            with opened as handle:
                yield cast("BinaryIO", handle)
        except _DAMAGE as error:
            raise damaged from error


def byte_size(path: str) -> int:
    """Bytes of a file on this machine, unpacked, by GDAL's address for it. Raises `BadInputError` as `open_bytes`."""
    member = member_of(path)
    if member is None:
        return Path(path).stat().st_size
    sizes = member_sizes(member.archive)
    if member.name not in sizes:
        raise BadInputError(f"{member.archive} no longer holds {member.name}; index the archive again")
    return sizes[member.name]


def read_to_end(handle: BinaryIO) -> None:
    """Read what is left of a file; inside of a ZIP archive that compares it with its checksum."""
    while handle.read(_PIECE):
        pass


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        opened = zipfile.ZipFile(archive)
    except (*_DAMAGE, NotImplementedError, ValueError) as error:
        raise BadInputError(f"{archive} is cut off, or is no ZIP archive; fetch it again") from error
    with opened:
        yield opened


def _fault(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _READABLE:
        return "is compressed in a way that is not read"
    squeezed = info.file_size > max(_SMALL, _MOST_SQUEEZED * info.compress_size)
    if info.file_size > MOST_BYTES or squeezed:
        return f"would have {info.file_size:,} bytes when it is unpacked, which no file of a product has"
    return None
