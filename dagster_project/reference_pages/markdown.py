"""Pieces of Markdown that the reference pages are put together from."""

from collections.abc import Iterable, Iterator, Sequence


def code(names: Iterable[str]) -> str:
    """Names as code, with commas between them."""
    return ", ".join(f"`{name}`" for name in names)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table and the empty line after it; bars and line breaks in a cell do not end it."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'|'.join('---' for _ in columns)}|"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in row)} |"
    yield ""


def page(lines: Iterable[str]) -> str:
    """The text of a page, with one line break at its end."""
    return "\n".join(lines).rstrip() + "\n"
