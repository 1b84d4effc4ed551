"""`minemap reference fetch`: published data sets by their address."""

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.commands.context import console, open_session
from minemap_assets.errors import BadInputError
from minemap_assets.messages import suggestion

if TYPE_CHECKING:
    from minemap_assets.reference.fetching import Arrived
    from minemap_assets.reference.published_sets import Dataset


def fetch(
    name: Annotated[str | None, typer.Argument(help="Which data set. Without one, all are listed.")] = None,
    place: Annotated[
        str | None, typer.Option("--from", help="A local file or another address to take it from.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence, where it is not known or differs.")] = None,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Take a file that differs from the one fetched before.")
    ] = False,
) -> None:
    """Fetch a published data set: resumed where it broke off, checked, counted and registered with its licence."""
    from minemap_assets.reference.published_sets import DATASETS

    if name is None:
        _list()
        return
    if name not in DATASETS:
        raise BadInputError(
            f"unknown data set {name!r}{suggestion(name, DATASETS)}; there are {', '.join(DATASETS)}, and any file is "
            "registered with `minemap reference add`"
        )
    from dagster_project.cli.reference import say_registration
    from minemap_assets.net.client import Client
    from minemap_assets.net.policy import ClientPolicy
    from minemap_assets.reference.fetching import fetch_dataset, is_address

    session, dataset = open_session(), DATASETS[name]
    _announce(dataset, place, licence)
    folder = session.project.lake.state / "downloads" / name
    with Client(f"the publisher of {name}", ClientPolicy(attempts=6, timeout=60.0, deadline=3600.0)) as client:
        done = fetch_dataset(
            session.project.lake.store,
            dataset,
            folder=folder,
            download=client.download,
            place=place,
            licence=licence,
            accept_change=accept_change,
        )
    shutil.rmtree(folder, ignore_errors=True)
    for file in done.files:
        seen = _compared(file) if is_address(file.address) else "a local file"
        console.print(f"{file.name}: {file.bytes:,} bytes, SHA-256 {file.sha256} ({seen})", soft_wrap=True)
    count = f", {dataset.features:,} features as published" if dataset.features else ""
    told = replace(done.registration, sentence=f"{done.registration.sentence}{count}")
    say_registration(session, told)


def _compared(file: "Arrived") -> str:
    if not file.before:
        return "seen for the first time"
    return "as before" if file.before == file.sha256 else "changed"


def _announce(dataset: "Dataset", place: str | None, licence: str | None) -> None:
    size = f", about {dataset.megabytes} MB" if dataset.megabytes and place is None else ""
    console.print(f"{dataset.title}{size}. Licence: {licence or dataset.licence or 'not known'}.", soft_wrap=True)
    if dataset.citation:
        console.print(f"Cite: {dataset.citation} ({dataset.origin}).", soft_wrap=True, markup=False)


def _list() -> None:
    """One line a data set."""
    from minemap_assets.reference.published_sets import DATASETS

    for dataset in DATASETS.values():
        known = (
            f"{dataset.features:,} features" if dataset.features else "",
            f"about {dataset.megabytes} MB" if dataset.megabytes else "",
            dataset.licence or "licence not known, give it with --licence",
            dataset.origin or "no address that could be relied upon, name a file with --from",
        )
        told = ", ".join(part for part in known if part)
        console.print(f"{dataset.name}: {dataset.title} ({told})", markup=False, soft_wrap=True)
