"""`minemap ui`: the Dagster UI on this project's instance.

What belongs here: starting the server. What does not: anything it shows.
"""

import os
import sys
from typing import Annotated

import typer
from dagster import DagsterInstance

from dagster_project.cli.context import Session, console, open_session


def ui(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
) -> None:
    """Serve the Dagster UI with every partition of this project."""
    session = open_session()
    instance = session.instance()
    _restore_all(session, instance)
    environment = os.environ | {
        "DAGSTER_HOME": str(session.environment.dagster_home),
        "MINEMAP_HOME": session.project.lake.store.root,
        "MINEMAP_STATE": str(session.project.lake.state),
    }
    console.print(f"Dagster UI on http://{host}:{port} (Ctrl-C ends it)")
    command = [sys.executable, "-m", "dagster", "dev", "-m", "dagster_project.definitions"]
    os.execve(sys.executable, [*command, "-h", host, "-p", str(port)], environment)


def _restore_all(session: Session, instance: DagsterInstance) -> None:
    """Tell a new or lost instance what the lake holds."""
    from dagster_project.graph import stages
    from dagster_project.instance import restore

    project = session.project
    for stage in stages(project):
        for recipe in stage.recipes:
            refs = [m.ref for m in project.lake.manifests(recipe.room, recipe.asset)]
            restored = restore(instance, project, refs)
            if restored:
                console.print(f"{recipe.room}/{recipe.asset}: {restored} partitions recorded from the lake")
