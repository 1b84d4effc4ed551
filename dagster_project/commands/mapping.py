"""What `minemap map` does: make the page where it is not current, and serve it, or write it into a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_project.commands import correcting
from dagster_project.commands.context import Session, console, counted, open_session
from dagster_project.commands.run_report import summarise
from dagster_project.commands.serving import check_address
from dagster_project.exit_codes import FAILED
from dagster_project.first_promotion import user
from dagster_project.pages.json_routes import asked, told
from dagster_project.pages.server import LOOPBACK, Page, address, serve_page
from dagster_project.pages.write_token import new_token
from minemap_assets.errors import BadInputError
from minemap_assets.graph.fact_words import file_size
from minemap_assets.graph.partition_states import PartitionState
from minemap_assets.lake.partitions import Partition
from minemap_assets.polygons.correction_file import CORRECTIONS_PATH, Correction, parse_corrections
from minemap_assets.publication.map.config import MapConfig, origin_of
from minemap_assets.publication.map.folder_copy import FolderCopy, copy_folder
from minemap_assets.publication.map_assets import MAP

COMMAND = "minemap map"

LONGEST_REASON, LONGEST_NAME = 2000, 200


def show_map(port: int, *, browser: bool, to: Path | None, restricted: bool) -> int:
    """Make, then serve or copy; returns the exit code. Raises `BadInputError` where the folder or port is taken."""
    session = open_session()
    if to is None:
        check_address(LOOPBACK, port)
    partition = _made(session)
    if partition is None:
        return FAILED
    if to is not None:
        _say_copied(to, copy_folder(partition, to, restricted=restricted))
        return 0
    token = new_token()
    console.print(f"Map on {address(port, token)} (Ctrl-C ends it)", markup=False, soft_wrap=True)
    serve_page(map_page(session, partition), port, COMMAND, browser=browser, token=token)
    return 0


def map_page(session: Session, partition: Partition) -> Page:
    """The page with what people may ask and write."""
    routes = [
        asked("/data/session.json", lambda words: _session(session.reopened(), words)),
        told("/corrections/reject", lambda given: _reject(session.reopened(), given)),
    ]
    origin = origin_of(session.project.section(MapConfig).basemap_url)
    return Page(_folder(session, partition), routes, (origin,) if origin else ())


def _made(session: Session) -> Partition | None:
    """The page as it is now, made where it is not current; None where that failed, which was said."""
    if session.states.state(MAP, ()) is not PartitionState.CURRENT:
        from dagster_project.commands.execution import execute
        from minemap_assets.graph.graph import Scope

        regions, years = tuple(session.project.active_regions()), tuple(session.project.closed_years())
        report = execute(session, Scope(frozenset({MAP}), regions, years))
        if report.failures:
            summarise(report)
            return None
        session = session.reopened()
    return session.project.lake.open(MAP.ref())


def _folder(session: Session, partition: Partition) -> Path:
    """The folder that is served: the lake's own where its files have their own names, else a copy in the state."""
    if session.project.lake.store.excludes:
        return partition.file("index.html").parent
    copy = session.project.lake.state / "map" / partition.manifest.content[:12]
    copy_folder(partition, copy, restricted=True)
    return copy


def _say_copied(to: Path, copy: FolderCopy) -> None:
    console.print(f"{counted(copy.files, 'file')}, {file_size(copy.bytes)}, in {to}", markup=False, soft_wrap=True)
    if copy.left_out:
        console.print(
            f"{counted(copy.left_out, 'picture')} left out, because the terms of their pixels forbid passing them on; "
            "--with-restricted keeps them.",
            soft_wrap=True,
        )
    console.print(f"To look at it: python -m http.server 8000 --directory {to}", markup=False, soft_wrap=True)


def _session(session: Session, words: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "served": True,
        "writable": words["writable"] == "yes",
        "user": user(),
        "rejected": _rejected(session),
    }


def _rejected(session: Session) -> list[dict[str, str]]:
    """Who rejected which outline, and why: the page marks those that it still shows."""

    def parse(data: bytes | None) -> tuple[Correction, ...]:
        return parse_corrections(data, f"{session.project.lake.store.root}/{CORRECTIONS_PATH}")

    return [
        {"polygon_id": one.polygon_id, "author": one.author, "date": one.date, "reason": one.reason}
        for one in session.project.parsed(CORRECTIONS_PATH, parse)
        if one.action == "reject" and one.polygon_id
    ]


def _reject(session: Session, given: Mapping[str, Any]) -> Mapping[str, Any]:
    polygon_id = _text(given, "polygon_id", LONGEST_NAME)
    reason, author = _text(given, "reason", LONGEST_REASON), _text(given, "author", LONGEST_NAME)
    said = correcting.saying(author, None, reason, "reject", _years(session, given.get("years")))
    added = correcting.add_rejections(session, [polygon_id], said)
    words = (
        f"{added.new[0]} holds for {added.new[0].years_told}" if added.new else "That correction stood there already"
    )
    return {
        "said": f"{words}. The next run takes it off the map.",
        "rejected": _rejected(session.reopened()),
    }


def _text(given: Mapping[str, Any], name: str, longest: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise BadInputError(f"a correction needs a {name} of at most {longest} characters; write one")
    return value.strip()


def _years(session: Session, value: Any) -> tuple[int, ...]:
    known = session.project.years()
    if not isinstance(value, list) or not all(type(year) is int and year in known for year in value):
        raise BadInputError(f"the years of a correction are a list of some of {known.start} to {known.stop - 1}")
    return tuple(value)
