"""What `minemap archive` says of images, and how it has them read: all that takes time to import."""

import shlex
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import shapely
import typer
from rich.table import Column, Table

from dagster_project.commands.context import Session, complain, console, counted, note
from minemap_assets.errors import BadInputError
from minemap_assets.geo.vector import geodesic_area_km2
from minemap_assets.imagery.files.images import ArchiveIndex, Image
from minemap_assets.imagery.products import PRODUCTS
from minemap_assets.imagery.sources.archive.catalogue import add_archive, check_archive_name, read_archives, read_roots
from minemap_assets.imagery.sources.archive.consistency import shared_files
from minemap_assets.imagery.sources.archive.index import ArchiveRules
from minemap_assets.imagery.sources.archive.product_detection import FolderReport, index_folder
from minemap_assets.planning.archive_use import ArchiveUse, archive_use
from minemap_assets.planning.image_facts import years_text
from minemap_assets.project.settings import SETTINGS_PATH
from minemap_assets.project.settings_changes import change_settings, setting_text

URL_MARK = "://"

_MOST_ALIKE = 5
"""Files that are named when many are left out for one reason."""


def add_folder(
    session: Session,
    place: str,
    *,
    name: str | None,
    product: str | None,
    rules: ArchiveRules,
    pattern: str,
    files: Sequence[str] | None,
    masks: str | None,
    use: bool | None,
) -> None:
    """Index a folder or address, say what it holds, and say or set what the settings lack for it.

    `use` writes the settings without asking, or not at all; None asks where somebody is there to answer. Raises
    `BadInputError`, and changes nothing, where no image can be used.
    """
    project = session.project
    called = name or _name_of(place)
    check_archive_name(called)
    roots = read_roots(project)
    if name is None and roots.get(called, place) != place:
        raise BadInputError(
            f"there is an archive {called} of another folder already ({roots[called]}); give this one another name "
            f"with --name, or put it in its place with --name {called}"
        )
    _check_place(session, place, everything=files is None and pattern.startswith("**"))
    report = index_folder(place, name=called, product=product, rules=rules, pattern=pattern, files=files, masks=masks)
    _complain_of(report, place)
    others = [one for one in read_archives(project) if one.name != called]
    for other, count in shared_files(place, report.images, others).items():
        note(
            f"{counted(count, 'file')} of these {'is in' if count == 1 else 'are in'} the archive {other} too, so that "
            f"the same picture counts twice; `minemap archive remove {other}` forgets it there"
        )
    if roots.get(called, place) != place:
        note(f"the archive {called} was of {roots[called]} before, whose images no longer serve")
    word = "Replaced" if add_archive(project.lake.store, called, place, report.features) else "Added"
    console.print(_found(report.images))
    console.print(_bands(report.images), soft_wrap=True)
    counts = f"{counted(len(report.images), 'image')}, {counted(len(report.refused), 'file')} left out"
    console.print(f"{word} archive {called}: {counts}.", soft_wrap=True)
    _have_read(session.reopened(), report.images, use)


def archives_table(archives: Iterable[ArchiveIndex]) -> Table:
    """One row for each archive."""
    table = Table("archive", *(Column(name, no_wrap=True) for name in ("products", "images", "days")), "cloud masks")
    for archive in archives:
        starts, ends = [i.start for i in archive.images], [i.end for i in archive.images]
        days = f"{min(starts)} to\n{max(ends)}" if starts else ""
        products = "\n".join(sorted({i.product for i in archive.images}))
        table.add_row(archive.name, products, f"{len(archive.images):,}", days, _masked(archive.images))
    return table


def archive_facts(archive: ArchiveIndex) -> dict[str, object]:
    """An archive as `--json` gives it."""
    return {
        "archive": archive.name,
        "root": archive.root,
        "products": {image.product for image in archive.images},
        "images": len(archive.images),
        "first_day": min((image.start for image in archive.images), default=None),
        "last_day": max((image.end for image in archive.images), default=None),
        "with_cloud_mask": sum(bool(image.clouds) for image in archive.images),
    }


def _name_of(place: str) -> str:
    """The folder's name, in the letters that an archive's name may have."""
    last = place.rstrip("/").rpartition("/")[2].lower()
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in last).strip("-")[:60].strip("-")


def _check_place(session: Session, place: str, *, everything: bool) -> None:
    """Refuse a folder of the project itself, or one in which the search would find it. Raises `BadInputError`."""
    if URL_MARK in place:
        return
    folder = Path(place).resolve()
    roots = [session.environment.state, *([] if URL_MARK in (home := session.environment.home) else [Path(home)])]
    for own in (Path(root).resolve() for root in roots):
        if folder.is_relative_to(own) or (everything and own.is_relative_to(folder) and own.exists()):
            raise BadInputError(
                f"{place} holds the project itself ({own}), whose own rasters are no archive; give the folder in which "
                "your images lie"
            )


def _complain_of(report: FolderReport, place: str) -> None:
    """Name what was left out, and what is doubtful. Raises `BadInputError` without any image."""
    alike: dict[str, list[str]] = {}
    for refusal in report.refused:
        alike.setdefault(refusal.reason.replace(refusal.path, ""), []).append(refusal.path)
    _name_refused(report, alike)
    if not report.images:
        why = f": {report.refused[0].reason}" if len(alike) == 1 else "; the reasons stand above"
        raise BadInputError(f"{place} holds no image that can be used{why}")
    for sentence in report.notes:
        note(sentence)
    unmasked = sum(not image.clouds for image in report.images)
    if unmasked:
        note(
            f"{counted(unmasked, 'image')} without a cloud mask, so that clouds count as ground; masks are found "
            "beside the images by their names (SCL, UDM, UDM2, CLM) or by --clouds"
        )


def _name_refused(report: FolderReport, alike: Mapping[str, Sequence[str]]) -> None:
    """A line for each file that was left out; of many for one reason (`alike`: paths by reason) only for some."""
    more = {reason: paths[_MOST_ALIKE:] for reason, paths in alike.items() if len(paths) > _MOST_ALIKE + 1}
    unsaid = {path for paths in more.values() for path in paths}
    for refusal in report.refused:
        if refusal.path not in unsaid:
            complain(f"{_printable(refusal.path)}: {refusal.reason}", word="left out ", colour="yellow")
    for paths in more.values():
        said = f"{counted(len(paths), 'more file')} for the same reason, such as {_printable(paths[0])}"
        complain(said, word="left out ", colour="yellow")


def _printable(path: str) -> str:
    """A path in one line that any terminal can show."""
    return path if path.isprintable() else path.encode("unicode_escape", "backslashreplace").decode("ascii")


def _masked(images: Collection[Image]) -> str:
    """How many images have a cloud mask."""
    masked = sum(bool(image.clouds) for image in images)
    return "none" if not masked else "all" if masked == len(images) else f"{masked:,} of {len(images):,}"


def _found(images: Sequence[Image]) -> Table:
    """One row for each product: its images, years, days and the area covered."""
    fixed = (Column(name, no_wrap=True) for name in ("product", "images", "days", "area, km²"))
    table = Table(*fixed, "years", "cloud masks")
    for product in sorted({image.product for image in images}):
        some = [image for image in images if image.product == product]
        years = sorted({y for i in some for y in ([i.year] if i.year else range(i.start.year, i.end.year + 1))})
        table.add_row(
            product,
            f"{len(some):,}",
            f"{min(image.start for image in some)} to\n{max(image.end for image in some)}",
            f"{geodesic_area_km2(shapely.union_all([image.geometry for image in some])):,.1f}",
            ", ".join(map(str, years)),
            _masked(some),
        )
    return table


def _bands(images: Iterable[Image]) -> str:
    """A line for each product: the bands that any of its images has."""
    has: dict[str, set[str]] = {}
    for image in images:
        has.setdefault(image.product, set()).update(image.bands)
    lines = (f"{p} has {', '.join(b for b in PRODUCTS[p].bands if b in bands)}." for p, bands in sorted(has.items()))
    return "\n".join(lines)


def _have_read(session: Session, images: Sequence[Image], use: bool | None) -> None:
    """Say which run reads the images, or what the settings lack for one to do so; set it where a person wants it."""
    wanted = _use_of(session, images)
    for sentence in wanted.notes:
        note(sentence)
    if wanted.values:
        _say_lacking(session, wanted.values)
        if not _wishes(use):
            return
        existed = session.project.input(SETTINGS_PATH) is not None
        change_settings(session.home, wanted.values)
        back = "; `minemap inputs restore minemap.toml` takes it back" if existed else ""
        console.print(f"Written{back}.", soft_wrap=True)
        session = session.reopened()
        wanted = _use_of(session, images)
    _say_run(session, wanted)


def _use_of(session: Session, images: Sequence[Image]) -> ArchiveUse:
    project = session.project
    return archive_use(project, images, [image for one in read_archives(project) for image in one.images])


def _say_lacking(session: Session, values: Mapping[str, object]) -> None:
    """Print the settings that the images need, as they would stand in the file."""
    where = session.project.where
    console.print(f"For a run to make maps of these images, {where} has to say:", markup=False, soft_wrap=True)
    sections: dict[str, list[str]] = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, []).append(setting_text(key, value))
    for section, lines in sections.items():
        text = "\n".join([*([f"[{section}]"] if section else []), *lines])
        console.print(text, markup=False, soft_wrap=True)


def _wishes(use: bool | None) -> bool:
    """Whether the settings are to be changed, asked where somebody can answer."""
    if use is None and sys.stdin.isatty() and sys.stdout.isatty():
        return typer.confirm("Write that into the settings?", default=False)
    if not use:
        again = shlex.join(["minemap", *(word for word in sys.argv[1:] if word != "--no-use"), "--use"])
        console.print(f"`{again}` writes it there.", markup=False, soft_wrap=True)
    return bool(use)


def _say_run(session: Session, wanted: ArchiveUse) -> None:
    """Print the command that reads the images."""
    if not wanted.years:
        console.print("No run reads these images; the notes say why.")
        return
    active = session.project.active_regions()
    some = f" --regions {','.join(wanted.regions)}" if len(wanted.regions) < len(active) else ""
    first = f", where {' and '.join(wanted.before)} has none" if wanted.before else ""
    once = "" if active else "Once there is a region (`minemap regions add SLUG FILE`), "
    console.print(
        f"{once}`minemap run --years {years_text(wanted.years)}{some}` reads these images{first}.",
        markup=False,
        soft_wrap=True,
    )
