"""Try the image and the deployment on a machine without a Docker engine: `python docker/try_containers.py`.

Needs root, buildah, podman, catatonit, netavark with aardvark-dns, runc and debootstrap from Debian, and
podman-compose, hadolint and uv on PATH. The base images stand in for the real ones: a Debian made by debootstrap, under
the tag of Python's image, and Debian's PostgreSQL on it. What builds need on this machine to reach package indexes, as
certificates and pip's configuration, is mounted with --mount while the image is built, and becomes no part of it.

Prints `ok` or `failed` for each claim; the exit status is 1 where one failed.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from stand_ins import CONTAINERS_CONF, POSTGRES, POSTGRES_DOCKERFILE, POSTGRES_START, PYTHON
from wanted import wanted

ROOT = Path(__file__).parent.parent
CONTEXT = (
    "pyproject.toml",
    "requirements.lock",
    "README.md",
    "LICENSE",
    ".dockerignore",
    "dagster_project",
    "minemap_assets",
    "docker",
)
LOCK = ROOT / "requirements.lock"
IMAGE = "localhost/minemap:cpu"
LIMIT_BYTES = 2_000_000_000
PATIENCE = 900.0

LAUNCH = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId rootRunId status } } } }"
STEPS = """query ($id: ID!) { runOrError(runId: $id) { ... on Run { status stepStats { status } } } }"""


class FailedError(Exception):
    """A claim that does not hold."""


def run(*command: str | Path, stdin: Any = None, cwd: Path | None = None) -> str:
    """Run a command; returns what it printed. Raises `FailedError` with its last lines."""
    done = subprocess.run(
        [str(word) for word in command], stdin=stdin, cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-12:]
        raise FailedError(f"{command[0]} {command[1]} ended with {done.returncode}:\n    " + "\n    ".join(last))
    return done.stdout


class Trial:
    """The claims, in order; a claim that needs an earlier one fails with it."""

    def __init__(self, given: Namespace) -> None:
        self.given = given
        self.work: Path = given.work.absolute()
        self.checkout = self.work / "checkout"
        self.secret = f"planted-{secrets.token_hex(8)}"
        self.failed = 0

    def claim(self, name: str, prove: Callable[[], str]) -> None:
        """Try one, and say how it went."""
        begin = time.monotonic()
        try:
            told = prove()
        except (FailedError, OSError, KeyError, ValueError) as error:
            self.failed += 1
            sys.stdout.write(f"failed  {name}: {error}\n")
        else:
            sys.stdout.write(f"ok      {name} ({told + ', ' if told else ''}{time.monotonic() - begin:.0f} s)\n")
        sys.stdout.flush()

    def prepare(self) -> str:
        """A checkout with secrets planted where people have them."""
        if self.checkout.exists():
            shutil.rmtree(self.checkout)
        self.checkout.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__")
        for name in CONTEXT:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.checkout / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, self.checkout / name)
        (self.checkout / "docker/secrets/key.json").write_text(json.dumps({"private_key": self.secret}))
        (self.checkout / ".env").write_text(
            f"COMPOSE_PROFILES=cpu\nPOSTGRES_PASSWORD={secrets.token_hex(8)}\nPOSTGRES_IMAGE={POSTGRES}\n"
            f"PL_API_KEY={self.secret}\nCDSE_S3_SECRET_KEY={self.secret}\nRAY_AUTH_TOKEN={secrets.token_hex(8)}\n"
        )
        (self.work / "containers.conf").write_text(CONTAINERS_CONF)
        os.environ["CONTAINERS_CONF"] = str(self.work / "containers.conf")
        return ""

    def python_base(self) -> str:
        """The stand-in of Python's image; one that was made earlier stays."""
        if self.is_there(PYTHON):
            return "made earlier"
        system = self.work / "debian"
        packages = "--include=ca-certificates,python3,python3-venv,python3-pip"
        run("debootstrap", "--variant=minbase", packages, self.given.suite, system)
        (system / "usr/bin/python").symlink_to("python3")
        for left in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(system / left)
        archive = self.work / "debian.tar"
        run("tar", "-C", system, "-cf", archive, ".")
        run("podman", "import", "--change", "ENV LANG=C.UTF-8", archive, PYTHON)
        archive.unlink()
        shutil.rmtree(system)
        return f"Debian {self.given.suite}"

    def postgres_base(self) -> str:
        """The stand-in of PostgreSQL's image; one that was made earlier stays."""
        if self.is_there(POSTGRES):
            return "made earlier"
        folder = self.work / "postgres"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(POSTGRES_DOCKERFILE)
        (folder / "start").write_text(POSTGRES_START)
        run("buildah", "bud", "--isolation", "chroot", "--format", "docker", "-t", POSTGRES, folder)
        return ""

    def is_there(self, image: str) -> bool:
        """Whether this machine has an image."""
        return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0

    def build(self) -> str:
        """The image, by docker/Dockerfile."""
        mounts = [word for mount in self.given.mount for word in ("-v", f"{mount}:ro")]
        arguments = {"PYTHON_IMAGE": PYTHON, "VARIANT": "cpu", "TORCH_INDEX": self.given.torch_index}
        words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        options = ["--isolation", "chroot", "--format", "docker", "--layers", *words, *mounts]
        run("buildah", "bud", *options, "-f", "docker/Dockerfile", "-t", IMAGE, ".", cwd=self.checkout)
        return ""

    def size(self) -> str:
        """The image takes less than the limit."""
        size = int(run("podman", "image", "inspect", "--format", "{{.Size}}", IMAGE))
        if size >= LIMIT_BYTES:
            raise FailedError(f"{size / 1e9:.2f} GB")
        return f"{size / 1e9:.2f} GB"

    def no_secret(self) -> str:
        """What was planted in the checkout is in no layer and not in the image's configuration."""
        archive = self.work / "image.tar"
        run("podman", "save", "--format", "docker-archive", "-o", archive, IMAGE)
        layers = 0
        with tarfile.open(archive) as whole:
            for member in whole:
                stream = whole.extractfile(member) if member.isfile() else None
                if stream is not None:
                    layers += 1
                    if _holds(_pieces(stream), self.secret.encode()):
                        raise FailedError(f"{member.name} holds the planted secret")
        archive.unlink()
        return f"{layers} files of the archive looked through"

    def hadolint(self) -> str:
        """The Dockerfile is clean."""
        run("hadolint", self.checkout / "docker/Dockerfile")
        return ""

    def profiles(self) -> str:
        """Every profile parses, and has the services it should."""
        services = {"cpu": {"code"}, "gpu": {"code-gpu"}, "ray": {"code-ray", "ray-head", "ray-gpu"}}
        for profile, wanted_ones in services.items():
            os.environ["COMPOSE_PROFILES"] = profile
            told = self.compose("--profile", profile, "config")
            listed = {line.strip(" :") for line in told.splitlines() if line.startswith("  ") and line[2] != " "}
            if not wanted_ones | {"postgres", "webserver", "daemon"} <= listed:
                raise FailedError(f"{profile} has {sorted(listed)}")
        os.environ["COMPOSE_PROFILES"] = "cpu"
        return ", ".join(services)

    def cuda(self) -> str:
        """The locked releases agree with a torch that brings CUDA, and with the extras of the images."""
        file = self.work / "wanted.txt"
        file.write_text("\n".join(wanted(["postgres", "ray", "k8s"])))
        target = ["--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28"]
        told = run("uv", "pip", "compile", "--no-config", "--quiet", *target, "--constraint", LOCK, file, cwd=self.work)
        found = [line for line in told.splitlines() if line.startswith(("nvidia-", "triton=="))]
        if not found:
            raise FailedError("torch brings no CUDA packages")
        return f"{len(found)} packages of CUDA"

    def tiny(self) -> str:
        """The image runs the whole chain on a root file system that nobody can write to, without a network."""
        run("podman", "volume", "rm", "--force", "minemap_lake", "minemap_state", "minemap_database")
        confined = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--network", "none"]
        volumes = ["--tmpfs", "/tmp:mode=1777", "-v", "minemap_lake:/data/lake", "-v", "minemap_trial:/data/state"]
        run("podman", "run", "--rm", *confined, *volumes, IMAGE, "minemap", "demo", "--world", "tiny")
        run("podman", "volume", "rm", "--force", "minemap_trial")
        return ""

    def up(self) -> str:
        """The services come up, and each answers its own health check."""
        order = ("postgres", "code", "webserver", "daemon")
        for service in order:
            self.compose("--profile", "cpu", "up", "--detach", "--no-deps", service)
            self.wait(partial(self.healthy, service), f"health of {service}")
        return ", ".join(order)

    def confined(self) -> str:
        """Nobody is root, writes to the image or has a capability; accounts of imagery reach the code service only."""
        for service in ("postgres", "code", "webserver", "daemon"):
            (told,) = json.loads(run("podman", "inspect", self.container(service)))
            host, config = told["HostConfig"], told["Config"]
            who = run("podman", "exec", self.container(service), "id", "-u").strip()
            if who == "0" or not host["ReadonlyRootfs"] or told.get("EffectiveCaps"):
                raise FailedError(f"{service}: user {who}, capabilities {told.get('EffectiveCaps')}")
            if (self.secret in json.dumps(config["Env"])) != (service == "code"):
                raise FailedError(f"{service}: the account of imagery is {'not ' if service == 'code' else ''}there")
            for ports in filter(None, (host.get("PortBindings") or {}).values()):
                if any(port["HostIp"] != "127.0.0.1" for port in ports):
                    raise FailedError(f"{service} is open to other machines: {ports}")
        return ""

    def launched(self) -> str:
        """A run that the UI launches succeeds."""
        identity = self.launch()
        self.wait(lambda: self.status(identity) == "SUCCESS", "success of the run")
        return identity[:8]

    def redeployed(self) -> str:
        """The code service is stopped and started in the middle of a run, as a redeploy does it: the run ends well."""
        identity = self.launch()
        self.wait(lambda: bool(self.steps(identity)), "the run's first step")
        run("podman", "stop", "--time", "600", self.container("code"))
        run("podman", "start", self.container("code"))
        self.wait(lambda: self.status(identity) == "SUCCESS", "success of the run")
        return identity[:8]

    def killed(self) -> str:
        """The code service is killed in the middle of a run: the run starts again by itself."""
        identity = self.launch()
        self.wait(lambda: bool(self.steps(identity)), "the run's first step")
        run("podman", "kill", self.container("code"))
        run("podman", "start", self.container("code"))
        self.wait(lambda: self.again(identity) == "SUCCESS", "success of the second try")
        return f"{identity[:8]} {self.status(identity).lower()}, its second try succeeded"

    def down(self) -> str:
        """Everything goes."""
        self.compose("--profile", "cpu", "down", "--volumes")
        return ""

    def compose(self, *words: str) -> str:
        """podman-compose over the checkout."""
        return run("podman-compose", "--env-file", ".env", "-f", "docker/compose.yaml", *words, cwd=self.checkout)

    def container(self, service: str) -> str:
        """The container of a service."""
        label = f"label=com.docker.compose.service={service}"
        found = run("podman", "ps", "--all", "--quiet", "--filter", label).split()
        if not found:
            raise FailedError(f"there is no container of {service}")
        return found[0]

    def healthy(self, service: str) -> bool:
        """Ask a service's health check, which nothing asks here without systemd."""
        asked = ["podman", "healthcheck", "run", self.container(service)]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def launch(self) -> str:
        """Remove a region's chips and masks of a year, and launch what makes them again."""
        region, year = "alder-basin", "2018"
        for asset in ("chips/chips", "segmentation/raw_masks"):
            run("podman", "exec", self.container("code"), "rm", "-rf", f"/data/lake/{asset}/{region}/{year}")
        selector = {
            "repositoryLocationName": "minemap",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": ["chips", "chips"]}, {"path": ["segmentation", "raw_masks"]}],
        }
        keys = {"": f"{region}|{year}", "/region": region, "/year": year}
        tags = [{"key": f"dagster/partition{name}", "value": value} for name, value in keys.items()]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        launched: list[str] = []

        def accepted() -> bool:
            # refused as long as the UI's server has not loaded a code server anew
            answer = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
            launched.extend([answer["run"]["runId"]] if answer["__typename"] == "LaunchRunSuccess" else [])
            return bool(launched)

        self.wait(accepted, "a launch that is accepted")
        return launched[0]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """A question to the UI's server."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request("http://127.0.0.1:3000/graphql", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        if "errors" in told:
            raise FailedError(json.dumps(told["errors"])[:500])
        return dict(told["data"])

    def status(self, identity: str) -> str:
        """How a run stands."""
        return str(self.ask(STEPS, id=identity)["runOrError"]["status"])

    def steps(self, identity: str) -> list[str]:
        """Steps of a run that succeeded."""
        stats = self.ask(STEPS, id=identity)["runOrError"]["stepStats"]
        return [step["status"] for step in stats if step["status"] == "SUCCESS"]

    def again(self, identity: str) -> str:
        """How the last run stands that was begun because this one ended badly."""
        runs = self.ask(RUNS)["runsOrError"]["results"]
        return next((str(one["status"]) for one in runs if one["rootRunId"] == identity != one["runId"]), "")

    def wait(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something. Raises `FailedError` where it has not happened in time."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise FailedError(f"{what} did not come in {PATIENCE:.0f} s")
            time.sleep(1)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(1 << 22):
        yield piece


def _holds(pieces: Iterator[bytes], token: bytes) -> bool:
    left = b""
    for piece in pieces:
        if token in left + piece:
            return True
        left = piece[-len(token) :]
    return False


def main() -> None:
    """Make the claims, all or those named."""
    parser = ArgumentParser(description="The image and the deployment, tried without a Docker engine.")
    parser.add_argument("--mount", action="append", default=[], metavar="HOST:CONTAINER", help="for builds; repeatable")
    parser.add_argument("--torch-index", default="", help="index with builds of torch without CUDA")
    parser.add_argument("--work", type=Path, default=ROOT / "build/containers", help="folder for what is made")
    parser.add_argument("--suite", default="bookworm", help="release of Debian of the stand-ins")
    parser.add_argument("--only", nargs="+", default=[], metavar="CLAIM", help="names of claims to try")
    trial = Trial(parser.parse_args())
    claims = (
        trial.hadolint,
        trial.profiles,
        trial.cuda,
        trial.python_base,
        trial.postgres_base,
        trial.build,
        trial.size,
        trial.no_secret,
        trial.tiny,
        trial.up,
        trial.confined,
        trial.launched,
        trial.redeployed,
        trial.killed,
        trial.down,
    )
    trial.claim("prepare", trial.prepare)
    for prove in claims:
        if not trial.given.only or prove.__name__ in trial.given.only:
            trial.claim(prove.__name__, prove)
    sys.exit(1 if trial.failed else 0)


if __name__ == "__main__":
    main()
