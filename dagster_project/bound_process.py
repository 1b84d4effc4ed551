"""A program that ends with the process that started it, also where that one was killed and could end nothing itself.

`python -m dagster_project.bound_process PARENT MODULE WORD...` is `python -m MODULE WORD...`, and is told to end as
soon as the process PARENT is no longer the one that it belongs to. The daemon would start runs for ever otherwise.
"""

import os
import runpy
import signal
import sys
import threading
import time

LOOK_SECONDS = 1.0
END_SECONDS = 20.0
"""Time that the program has to end in order; then it is ended."""


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)
    os._exit(1)


def main() -> None:
    """Run the module that the words name."""
    _, parent, *words = sys.argv
    threading.Thread(target=_watch, args=(int(parent),), name="parent", daemon=True).start()
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
