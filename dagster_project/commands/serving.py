"""Serving the Dagster UI from the command line: the address, what the instance is told, and an orderly end."""

import errno
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dagster import DagsterInstance

from dagster_project import restoring
from dagster_project.commands.context import Session, console, note
from dagster_project.graph_shape import graph_shape
from dagster_project.ui_pages import Pictures
from minemap_assets.errors import BadInputError, MinemapError


def serve(session: Session, instance: DagsterInstance, host: str, port: int, allowed: list[str]) -> None:
    """Serve until a signal comes, and end everything that was started. Raises `MinemapError` where the daemon ends."""
    from dagster_project.ui_services import services
    from dagster_project.webserver import guarded_server

    pictures = Pictures(session.home, session.registry)
    try:
        with (
            _signals(),
            services(lambda: graph_shape(session.home, session.registry)) as running,
            guarded_server(instance, running.workspace, host, port, allowed, pictures) as server,
        ):

            def end_with_daemon() -> None:
                running.daemon.wait()
                server.should_exit = True

            threading.Thread(target=end_with_daemon, daemon=True).start()
            server.run()
            code = running.daemon.poll()
    except KeyboardInterrupt:
        return
    raise MinemapError(
        f"the Dagster daemon ended with code {code}, so that nothing would start by itself; start the UI again"
    )


@contextmanager
def _signals() -> Iterator[None]:
    """Within, the first SIGINT, SIGTERM or closed terminal interrupts, and no other disturbs the end.

    Started in the background of a script, a process ignores SIGINT, and all its children would; with `nohup` it is not
    to end with its terminal, which is kept.
    """

    def interrupt(_: int, __: FrameType | None) -> None:
        for number in before:
            signal.signal(number, lambda _, __: None)
        raise KeyboardInterrupt

    def terminate(_: int, __: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_address(host: str, port: int) -> None:
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


def restore_all(session: Session, instance: DagsterInstance) -> None:
    """Tell a new or lost instance what the lake holds, and the person what came of it."""
    restoring.restore_all(
        instance,
        session.graph,
        session.states,
        restored=lambda asset, number: console.print(f"{asset}: {number} partitions recorded from the lake"),
        damaged=lambda damage: note(f"{damage}; the next `minemap run` makes {damage.ref} again"),
    )
