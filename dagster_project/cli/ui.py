"""`minemap ui`: the Dagster UI on this project's instance."""

import errno
import os
import signal
import socket
import sys
from typing import Annotated

import typer
from dagster import DagsterInstance

from dagster_project.cli.context import Session, console, open_session
from dagster_project.instance import restore
from minemap_assets.errors import BadInputError


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
) -> None:
    """Serve the Dagster UI with every partition of this project."""
    session = open_session()
    _check_address(host, port)
    instance = session.instance()
    _restore_all(session, instance)
    environment = os.environ | {
        "DAGSTER_HOME": str(session.environment.dagster_home),
        "MINEMAP_HOME": session.project.lake.store.root,
        "MINEMAP_STATE": str(session.project.lake.state),
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore::FutureWarning"),
    }
    console.print(f"Dagster UI on http://{host}:{port} (Ctrl-C ends it)")
    # Started in the background of a script, a process ignores SIGINT, and with it all its children: but that is how
    # `dagster dev` ends them when it is told to end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, "-m", "dagster", "dev", "-m", "dagster_project.definitions"]
    os.execve(sys.executable, [*command, "-h", host, "-p", str(port)], environment)


def _check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be served on, before anything is started. Raises `BadInputError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadInputError(
                f"port {port} is in use on {host}, perhaps by a UI that runs already; end that or choose another with "
                "--port"
            ) from error
        raise BadInputError(
            f"cannot serve on {host} port {port} ({error.strerror}); choose others with --host and --port"
        ) from error


def _restore_all(session: Session, instance: DagsterInstance) -> None:
    """Tell a new or lost instance what the lake holds."""
    for asset in session.graph.assets:
        refs = [m.ref for m in session.project.lake.manifests(asset.room, asset.name)]
        restored = restore(instance, session.graph, session.states, refs)
        if restored:
            console.print(f"{asset}: {restored} partitions recorded from the lake")
