"""What people read first in the folder: the verdict, how to read the data, the licence, where everything is from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minemap_assets.publication.attribution import Attribution
from minemap_assets.publication.dataset.facts import HOW_TO_READ, MISSING_IS_NOT_ZERO, Facts
from minemap_assets.publication.dataset.pixels import Kind, Raster, Wanted

README, LICENCE, ATTRIBUTION = "README.md", "LICENCE.md", "ATTRIBUTION.md"


@dataclass(frozen=True)
class Listing:
    """What the folder holds: its files with what they are, and what of the rasters is there."""

    files: Mapping[str, str]
    rasters: Sequence[Raster]
    wanted: Wanted
    held_out_sites: int


def write_texts(facts: Facts, listing: Listing, folder: Path) -> None:
    """Write `README.md`, `LICENCE.md` and `ATTRIBUTION.md`."""
    for name, lines in (
        (README, _readme(facts, listing)),
        (LICENCE, _licence(facts)),
        (ATTRIBUTION, _attribution(facts, listing)),
    ):
        (folder / name).write_text("\n".join(line.rstrip() for line in lines).rstrip() + "\n", encoding="utf-8")


def _readme(facts: Facts, listing: Listing) -> Iterator[str]:
    sentence = facts.standing.sentence
    yield f"**Verdict on the model: {facts.standing.grade}.** {sentence[:1].upper()}{sentence[1:]}".rstrip(". ") + "."
    yield from ("", f"Held-out score: {facts.held_out}.", "")
    yield from (f"State of the review: {facts.standing.release}.", "")
    yield from (f"# {facts.title}", "", facts.config.description, "")
    if facts.part:
        yield from ("## This is a part", "", *facts.part, "")
    yield from ("## How to read", "", HOW_TO_READ, "", MISSING_IS_NOT_ZERO, "")
    yield "A polygon is `provisional` until the years around it are mapped, and may still change; then it is `final`. "
    yield "Rows whose `status` is `missing` are of years or regions that were not mapped yet: they have no areas. "
    yield "Areas are equal-area (EPSG:6933), in square kilometres; outlines are in EPSG:4326. Dates inside files are "
    yield from (f"{facts.stamp.isoformat()} whenever they were made, so that the same results give the same files.", "")
    yield from ("## Files", "", "| file | holds |", "|---|---|")
    yield from (f"| `{name}` | {told} |" for name, told in listing.files.items())
    yield from ("", "`sha256sum --check checksums.sha256` says whether all of them are as they were written.", "")
    yield from _pixels(listing)
    yield from _test_set(facts, listing)
    yield "## Licence"
    database, contents = facts.database_licence, facts.contents_licence
    yield from ("", f"Database: {database.title}. Contents: {contents.title}. See LICENCE.md and ATTRIBUTION.md.", "")
    if facts.conflicts:
        yield from (f"Terms of inputs that stand against it, or are not known ({len(facts.conflicts)}):", "")
        yield from (f"- {one.sentence}" for one in facts.conflicts)


def _pixels(listing: Listing) -> Iterator[str]:
    yield from ("## Pixels", "")
    for kind, word in ((Kind.IMAGERY, "composites"), (Kind.MASKS, "probability masks")):
        every = [one for one in listing.rasters if one.kind is kind]
        left = [reason for one in every if (reason := one.left_out(listing.wanted))]
        yield f"- {len(every) - len(left)} of {len(every)} {word} are in the folder `{kind}`."
        yield from (f"  {left.count(reason)} are not: {reason}" for reason in dict.fromkeys(left))
        against = [one for one in every if one.restricted and not one.left_out(listing.wanted)]
        if against:
            yield f"  {len(against)} are there although their terms do not allow passing them on: do not pass them on."
    yield ""


def _test_set(facts: Facts, listing: Listing) -> Iterator[str]:
    yield from ("## Test set", "")
    if listing.held_out_sites:
        yield "`held_out_sites` are the sites that no model was trained on or chosen by, `held_out_outlines` their "
        yield f"labels. They are {listing.held_out_sites}: compare maps with them, and with `validation_points`."
    elif facts.part:
        yield "No site of this part is in the test set."
    else:
        yield "No site was held out as a test set, so there is none in these files: too few sites have labels."
    yield ""


def _licence(facts: Facts) -> Iterator[str]:
    database, contents = facts.database_licence, facts.contents_licence
    yield from ("# Licence", "")
    yield f"{facts.title}, is made available as a database under the {database.title} "
    yield from (f"({database.spdx}): {database.address}", "")
    yield from (f"Its single contents are under the {contents.title} ({contents.spdx}): {contents.address}", "")
    if database.spdx == "ODbL-1.0":
        yield "In short, and without replacing the text at that address: you may copy, use and change the database; "
        yield "say where it comes from; a changed database that you publish stays under the same licence; and you may "
        yield from ("not close it by technical means.", "")
    yield "This covers what was made here. Inputs stay under their own terms, which ATTRIBUTION.md lists; so do "
    yield from (
        "rows and pixels of theirs that are in these files (`held_out_outlines`, `validation_points`, composites).",
        "",
    )
    yield from (f"Verdict on the model behind the data: {facts.standing.verdict}.", "")
    yield from _conflicts(facts)


def _conflicts(facts: Facts) -> Iterator[str]:
    yield from ("## Conflicts", "")
    if not facts.conflicts:
        yield "By the words of the inputs' licences none stands against this one. That is no legal advice."
        return
    yield "By the words of their licences, these inputs ask for something else than the licence above allows, or their "
    yield from ("terms are not known. Settle them before you publish; this is no legal advice.", "")
    yield from (f"- **{one.input}** ({one.role}): {one.sentence}." for one in facts.conflicts)


def _attribution(facts: Facts, listing: Listing) -> Iterator[str]:
    yield from ("# Where the data come from", "")
    yield from (f"Verdict on the model: {facts.standing.verdict}.", "")
    yield from ("| input | used as | licence or terms | cite | source |", "|---|---|---|---|---|")
    yield from (f"| {' | '.join(_cell(text) for text in _row(one))} |" for one in facts.inputs)
    yield ""
    if facts.standing.version:
        yield from (f"Model: version {facts.standing.version}, in use since {facts.standing.promoted_at}.", "")
    kept = [one for one in listing.rasters if one.restricted and not one.left_out(listing.wanted)]
    if kept:
        yield f"This copy holds {len(kept)} composites whose terms do not allow passing them on: it is for whoever has "
        yield from ("the right to them, and must not be published.", "")
    yield from _conflicts(facts)


def _row(one: Attribution) -> tuple[str, ...]:
    return one.name, str(one.role), one.licence, one.citation or "not stated", one.source or "not stated"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
