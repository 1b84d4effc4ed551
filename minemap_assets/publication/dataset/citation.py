"""The citation file (Citation File Format 1.2.0): whom to cite, as the settings say; nobody is made up."""

import json
from collections.abc import Iterator
from pathlib import Path

from minemap_assets.publication.config import Author
from minemap_assets.publication.dataset.facts import Facts

NAME = "CITATION.cff"

NO_AUTHORS = (
    "# The authors are not known: name them with `authors` in [dataset] of inputs/minemap.toml and export again,",
    "# or put them in the place of the following entry.",
)


def write_citation(facts: Facts, path: Path) -> None:
    """Write the citation file."""
    path.write_text("\n".join(_lines(facts)) + "\n", encoding="utf-8")


def _lines(facts: Facts) -> Iterator[str]:
    config = facts.config
    yield from ("cff-version: 1.2.0", "type: dataset")
    yield f"message: {_quoted('If you use these data, cite them as below, and the inputs listed in ATTRIBUTION.md.')}"
    yield f"title: {_quoted(facts.title)}"
    verdict = f"Verdict on the model: {facts.standing.verdict}. Held-out score: {facts.held_out}."
    yield f"abstract: {_quoted(f'{facts.description} {verdict} Review: {facts.standing.release}.')}"
    if config.authors:
        yield "authors:"
        yield from (line for author in config.authors for line in _author(author))
    else:
        yield from (*NO_AUTHORS, "authors:", '  - name: "authors not stated"')
    for key, value in (("version", config.version), ("doi", config.doi)):
        if value:
            yield f"{key}: {_quoted(value)}"
    if config.released is not None:
        yield f"date-released: {config.released.isoformat()}"
    licence = facts.database_licence
    # the format takes identifiers of SPDX only
    yield f"license: {licence.spdx}" if licence.title != licence.spdx else f"license-url: {_quoted(licence.address)}"


def _author(author: Author) -> Iterator[str]:
    known = (
        ("name", author.name),
        ("family-names", author.family),
        ("given-names", author.given),
        ("affiliation", "" if author.name else author.affiliation),
        ("orcid", f"https://orcid.org/{author.orcid.rsplit('/', 1)[-1]}" if author.orcid else ""),
    )
    filled = [f"{key}: {_quoted(value)}" for key, value in known if value]
    yield f"  - {filled[0]}"
    yield from (f"    {line}" for line in filled[1:])


def _quoted(text: str) -> str:
    """A text in double quotes, as YAML and JSON both read it."""
    return json.dumps(text, ensure_ascii=False)
