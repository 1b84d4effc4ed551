"""XML from somebody else's files: elements and text alone, never a document type with entities in it."""

from typing import BinaryIO
from xml.etree import ElementTree
from xml.parsers import expat

from minemap_assets.errors import BadInputError

MOST_BYTES = 2**26
"""Bytes of a document; the metadata of a product has less than a tenth of a megabyte, its cloud masks a few."""

_PIECE = 2**16


class _RefusedError(Exception):
    """The document declares its own type."""


def read_xml(handle: BinaryIO, name: str) -> ElementTree.Element:
    """The root of a document; names of elements are without their namespaces.

    Raises `BadInputError`, with the document's name, where it is no XML, is too long, or declares a document type,
    through which a few bytes may stand for gigabytes or for other files.
    """
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag.rpartition(":")[2], {k.rpartition(":")[2]: v for k, v in attributes.items()})

    def end(tag: str) -> None:
        builder.end(tag.rpartition(":")[2])

    def refuse(*_: object) -> None:
        raise _RefusedError

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    left = MOST_BYTES
    try:
        while piece := handle.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise BadInputError(f"{name} is longer than any metadata is; fetch it again")
            parser.Parse(piece, False)
        parser.Parse(b"", True)
        return builder.close()
    except _RefusedError as error:
        raise BadInputError(f"{name} declares a document type, which no metadata does; fetch it again") from error
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise BadInputError(f"{name} is cut off or is no XML ({error}); fetch it again") from error


def texts(root: ElementTree.Element, name: str) -> list[str]:
    """The texts of all elements of that name, in their order."""
    return [(element.text or "").strip() for element in root.iter(name)]
