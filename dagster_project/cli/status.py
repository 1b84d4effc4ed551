"""`minemap status`: what the lake holds, by asset, and why some of it is not current."""

from dagster_project.cli.options import Json, Regions, Select, Years
from dagster_project.commands.context import open_session


def status(
    select: Select = None,
    regions: Regions = None,
    years: Years = None,
    as_json: Json = False,
) -> None:
    """Show how much of the graph is made, current, or waiting, and why; `minemap explain` tells of one partition."""
    session = open_session()
    if regions is None and not session.project.active_regions():
        from dagster_project.commands.status_report import report_no_region

        report_no_region(session, as_json=as_json)
        return
    from dagster_project.commands.status_report import look, show, tell

    found = look(session, session.scope(select, regions, years))
    (tell if as_json else show)(session, found)
