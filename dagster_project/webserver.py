"""Dagster's web server with the guard around it: `python -m dagster_project.webserver --workspace FILE`.

It takes the place of `dagster-webserver` in a deployment; `minemap ui` serves through it as well. The application is
built here and not by that command, which leaves no room for a guard.
"""

import signal
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from dagster_project.environment import read_environment
from dagster_project.registry import Registry, home_of
from dagster_project.ui_guard import UiGuard, own_names, parse_host_option
from dagster_project.ui_pages import OwnPages, Pictures
from minemap_assets.errors import MinemapError

POLL_MILLISECONDS = 2000
"""How often a page asks for news."""

STATEMENT_MILLISECONDS, RECYCLE_SECONDS, MAX_OVERFLOW = 15_000, 3600, 20
"""What `dagster-webserver` grants a statement, a connection and the pool of connections of the database."""

GRACE_SECONDS = 5
"""Time that open requests have to end once the server is told to."""


@contextmanager
def guarded_server(
    instance: DagsterInstance, workspace: Path, host: str, port: int, allowed: Sequence[str], pictures: Pictures
) -> Iterator[uvicorn.Server]:
    """A server to be run within the block.

    `workspace` is a Dagster workspace file, `allowed` names what the UI is reached by beside loopback, and `pictures`
    draws its partitions. Raises `BadInputError` for such a name that is none.
    """
    names = own_names(host, port, [parse_host_option(name) for name in allowed])
    instance.optimize_for_webserver(STATEMENT_MILLISECONDS, RECYCLE_SECONDS, MAX_OVERFLOW)
    with WorkspaceProcessContext(
        instance, version=__version__, workspace_load_target=WorkspaceFileTarget([str(workspace)])
    ) as context:
        dagster = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MILLISECONDS)
        yield uvicorn.Server(
            uvicorn.Config(
                UiGuard(OwnPages(dagster, pictures), names),
                host=host,
                port=port,
                log_level="warning",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )


def main() -> None:
    """Serve until a signal ends it."""
    parser = ArgumentParser(prog="dagster_project.webserver", description="The Dagster UI, guarded.")
    parser.add_argument("--workspace", type=Path, required=True, help="Dagster workspace file")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on")
    parser.add_argument("--port", type=int, default=3000, help="port to serve on")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that the UI is reached by, such as maps.example.org; repeatable, also in MINEMAP_ALLOW_HOSTS",
    )
    given = parser.parse_args()
    if not given.workspace.is_file():
        parser.error(f"there is no workspace file {given.workspace}; name one with --workspace")
    signal.signal(signal.SIGTERM, _stop)
    try:
        environment, registry = read_environment(), Registry()
        allowed = [*environment.allow_hosts, *given.allow_host]
        pictures = Pictures(home_of(environment, registry), registry)
        with (
            suppress(KeyboardInterrupt),
            DagsterInstance.get() as instance,
            guarded_server(instance, given.workspace, given.host, given.port, allowed, pictures) as server,
        ):
            server.run()
    except MinemapError as error:
        parser.error(str(error))


def _stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
