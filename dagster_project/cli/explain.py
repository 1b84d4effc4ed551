"""`minemap explain`: what one partition is, its state and why, what it was made from and what is made from it."""

from typing import Annotated

import typer

from dagster_project.cli.options import Json
from dagster_project.commands.context import open_session


def explain(
    partition: Annotated[
        list[str],
        typer.Argument(
            metavar="PARTITION",
            help="An asset and its keys, such as imagery north 2020 or imagery/north/2020; an asset alone lists its "
            "partitions.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Say of one partition what it is, whether it is current and why not, what it was made from, and what it holds."""
    session = open_session()
    from dagster_project.commands.explanation import describe_asset, describe_partition, show_asset, show_partition
    from dagster_project.commands.json_output import print_json
    from dagster_project.commands.partition_names import parse_partition

    named = parse_partition(" ".join(partition), session.graph, session.project)
    if named.keys is None:
        every = describe_asset(session, named.asset)
        print_json(every) if as_json else show_asset(every)
    else:
        one = describe_partition(session, named.asset, named.keys)
        print_json(one) if as_json else show_partition(one)
