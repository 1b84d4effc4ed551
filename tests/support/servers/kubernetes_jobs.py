"""Kubernetes' API of jobs, as far as Dagster uses it: a job that is created runs at once as a process of this machine.

    python kubernetes_jobs.py PORT FOLDER

A job's container runs with the environment of this process and its own `env`; what it prints goes to a file of FOLDER.
`GET /jobs` gives the manifests as they were sent, in order.
"""

import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

JOBS = re.compile(r"/apis/batch/v1/namespaces/(?P<namespace>[\w-]+)/jobs(?:/(?P<name>[\w.-]+))?(?:/status)?")

Manifest = dict[str, Any]


class Cluster:
    """Jobs by name, and the processes of their containers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, Manifest] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def create(self, manifest: Manifest) -> Manifest:
        name = manifest["metadata"]["name"]
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        variables = {v["name"]: v["value"] for v in container.get("env", []) if "value" in v}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*container.get("command", []), *container["args"]],
                env={
                    **os.environ,
                    **variables,
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.jobs[name] = manifest
        return self.read(name)

    def read(self, name: str) -> Manifest:
        code = self.processes[name].poll()
        status = {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}
        return {**self.jobs[name], "apiVersion": "batch/v1", "kind": "Job", "status": status}

    def delete(self, name: str) -> Manifest:
        self.processes[name].kill()
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}


class Handler(BaseHTTPRequestHandler):
    cluster: Cluster

    def do_POST(self) -> None:
        manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(201, self.cluster.create(manifest))

    def do_GET(self) -> None:
        if self.path == "/jobs":
            self._answer(200, list(self.cluster.jobs.values()))
        elif name := self._name():
            self._answer(200, self.cluster.read(name))
        else:
            self._answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    def do_DELETE(self) -> None:
        name = self._name()
        self._answer(200 if name else 404, self.cluster.delete(name) if name else {})

    def _name(self) -> str:
        found = JOBS.match(self.path)
        name = str(found["name"]) if found else ""
        return name if name in self.cluster.jobs else ""

    def _answer(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(port: int, folder: Path) -> None:
    """Serve until the process is ended."""
    Handler.cluster = Cluster(folder)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
