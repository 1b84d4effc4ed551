"""`minemap ui`: the Dagster UI on this project's instance."""

import os
from typing import Annotated

import typer

from dagster_project.commands.context import console, note, open_session


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that the UI is reached by, such as maps.example.org; repeatable."),
    ] = None,
) -> None:
    """Serve the Dagster UI with every partition of this project."""
    from dagster_project.commands.serving import check_address, restore_all, serve
    from dagster_project.ui_guard import parse_authority, parse_host_option

    for name in allow_host or ():
        parse_host_option(name)
    session = open_session()
    check_address(host, port)
    instance = session.instance()
    restore_all(session, instance)
    os.environ |= {
        "DAGSTER_HOME": str(session.environment.dagster_home),
        "MINEMAP_HOME": session.project.lake.store.root,
        "MINEMAP_STATE": str(session.project.lake.state),
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore::FutureWarning"),
    }
    from dagster_project.instance import lacking

    if lacks := lacking(session.environment.dagster_home):
        note(lacks)
    shown = f"[{host}]" if ":" in host else host
    served = parse_authority(shown)
    if served is None or not served.loopback:
        note(
            f"the UI has no accounts, and {host} may be reached from other machines: put a proxy with authentication "
            "before it, as docs/serving.md shows, and name what it is reached by with --allow-host"
        )
    console.print(f"Dagster UI on http://{shown}:{port} (Ctrl-C ends it)", markup=False)
    serve(session, instance, host, port, [*session.environment.allow_hosts, *(allow_host or ())])
