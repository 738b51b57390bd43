"""The nursery on the judge's side: started once, it hands out fresh environments.

Start it before moto is imported, so that both warm up together. ``start`` returns at once; requests
wait in a socket until the nursery has warmed up.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grader.cloud.function.child import frames
from grader.cloud.function.isolation import TIERS, Isolation, Tier
from grader.cloud.function.limits import Limits
from grader.cloud.function.process import ForkedProcess, NurseryFailed, Process, SpawnedProcess
from grader.cloud.function.spec import MAX_CODE_BYTES
from grader.cloud.scratch import Scratch

_MAIN = Path(__file__).parent / "child" / "main.py"
# A request is one message of exactly this size, so that processes forked from the judge can share
# the socket without mixing their requests.
_REQUEST_BYTES = 1024
# Clients whose models are loaded before the first fork; others load in the environment.
_WARM_SERVICES = ("dynamodb", "dynamodbstreams", "sqs", "cloudwatch")
# What a function may import beside the standard library: the SDK that Lambda's runtime brings with
# what it needs, and Powertools, which AWS publishes as a layer, with what that needs.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six",
                    "aws_lambda_powertools", "typing_extensions")  # fmt: skip
_CLOCK = "_time_machine"
# A process that is spawned has so long (real seconds) to import boto3.
_SPAWN_SECONDS = 60.0
# Names the user that functions run as, by name or number, where the judge itself is root.
USER_VARIABLE = "LABS_FUNCTION_USER"
_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")


class Nursery:
    """The source of environments. Use ``start``, and ``close`` at the end.

    A process that has asked for ``enforced`` may fork: its children share the nursery. Only the
    process that started it closes it.
    """

    def __init__(
        self,
        tiers: list[Tier],
        limits: Limits,
        *,
        root: Path | None = None,
        packages: Sequence[str] | None = (),
    ) -> None:
        """``root`` replaces the folder that the functions' file system is built in."""
        self.limits = limits
        self._user = function_user()
        self._scratch = Scratch()
        self.work = self._scratch.path
        # A process started by itself would be the judge's user.
        self._tiers = [tier for tier in tiers if self._user is None or tier != "spawn"]
        names = [*RUNTIME_PACKAGES, *(packages or ())]
        self._packages = _folders_of(names)
        self._visible = list(self._packages)
        if packages is not None:
            self._link(names)
        self._root = root or self.work / "root"
        self._numbers = itertools.count(1)
        self._isolation: Isolation | None = None
        self._refused: dict[str, str] = {}
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._spawned: list[SpawnedProcess] = []
        self._forked: list[ForkedProcess] = []
        self._closed = False
        self._owner = os.getpid()
        for name in ("code", "own", "root"):
            (self.work / name).mkdir()
        if self._user is not None:
            # It may pass through and list nothing; what it may write is made its own, one by one.
            for folder in (self.work, self.work / "own"):
                folder.chmod(0o711)
        if not self._tiers:
            raise NurseryFailed(f"{USER_VARIABLE} needs a platform that forks processes")
        if self._tiers[0] != "spawn":
            self._launch()

    @classmethod
    def start(
        cls,
        *,
        isolation: str = "auto",
        limits: Limits | None = None,
        packages: Sequence[str] | None = (),
    ) -> Nursery:
        """Start warming up and return at once.

        ``packages`` names what functions may import beside Lambda's own runtime (its packages and
        Powertools, see RUNTIME_PACKAGES); None is everything that is installed beside them.
        ``isolation`` is ``auto`` (the strongest tier that this machine permits) or one of
        ``namespaces``, ``landlock``, ``limits``, ``spawn`` to force that one. ValueError for
        another word; a forced tier that is not permitted shows as NurseryFailed at first use.
        """
        if isolation == "auto":
            tiers = list(TIERS)
        elif isolation in TIERS:
            tiers = [tier for tier in TIERS if tier == isolation]
        else:
            raise ValueError(f"isolation is auto or one of {', '.join(TIERS)}, not {isolation!r}")
        if not hasattr(os, "fork"):
            tiers = [tier for tier in tiers if tier == "spawn"]
        if not tiers:
            raise ValueError(f"isolation {isolation!r} does not exist on this platform")
        return cls(tiers, limits or Limits(), packages=packages)

    @property
    def enforced(self) -> Isolation:
        """What is enforced here; waits until the nursery has warmed up. NurseryFailed."""
        if self._isolation is None:
            self._isolation = self._ask()
        return self._isolation

    def keep(self, code: Path) -> str:
        """Copy a function's code for its environments; the copy's name within the nursery.

        FileNotFoundError when ``code`` is no folder; ValueError for a link, a special file or more
        than Lambda's 250 MB.
        """
        if not code.is_dir():
            raise FileNotFoundError(f"{code} is not a folder")
        name = f"code/{self._fresh()}"
        target = self.work / name
        size = 0
        for source in _files(code):
            size += source.stat().st_size
            if size > MAX_CODE_BYTES:
                raise ValueError(f"{code} holds more than Lambda's 250 MB of code")
            copy = target / source.relative_to(code)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        target.mkdir(parents=True, exist_ok=True)
        return name

    def environment(self, code: str) -> tuple[Process, str, str]:
        """A fresh process for ``code`` (a name from ``keep``), its task root and its ``/tmp``."""
        if self._closed:
            raise NurseryFailed("the nursery is closed")
        task, own = self.work / code, self.work / "own" / self._fresh()
        if self.enforced.tier == "namespaces":
            return self._fork(code, own), "/var/task", "/tmp"
        own.mkdir(parents=True)
        if self._user is not None:
            os.chown(own, *self._user)
        if self.enforced.tier == "spawn":
            return self._spawn(own), str(task), str(own)
        return self._fork(code, own), str(task), str(own)

    def _fresh(self) -> str:
        """A name that no process forked from this one uses, either."""
        return f"{os.getpid()}-{next(self._numbers)}"

    def forget(self, pid: int) -> None:
        """Remove the files of a process forked from this one, which has ended."""
        for kind in ("code", "own"):
            for folder in (self.work / kind).glob(f"{pid}-*"):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End every environment and the nursery, wait for them, remove their files."""
        if self._closed or os.getpid() != self._owner:
            return
        self._closed = True
        for forked in self._forked:
            forked.kill()
        if self._socket is not None:
            self._socket.close()
        if self._process is not None and self._isolation is None:
            self._process.kill()  # still warming up: nothing depends on it
        for process in self._spawned:
            process.kill()
        for process in self._spawned:
            process.wait(2.0)
        self._end_nursery()
        self._scratch.close()

    # -- paths -----------------------------------------------------------------------------------

    def places(self, task: str, tmp: str, runtime: str) -> list[tuple[str, str]]:
        """Folders of this machine and what they are called on Lambda, longest first."""
        library = f"/var/lang/lib/{runtime}"
        known = {task: "/var/task", tmp: "/tmp"}
        folders = [*self._packages, "/var/lang/packages"]
        known |= dict.fromkeys(folders, f"{library}/site-packages")
        known.setdefault(sysconfig.get_path("stdlib"), library)
        return sorted(
            ((here, there) for here, there in known.items() if here != there),
            key=lambda pair: (-len(pair[0]), pair[0]),
        )

    # -- the nursery's process -------------------------------------------------------------------

    def _link(self, names: Iterable[str]) -> None:
        """Show functions a folder with just these packages; all of them where links do not work."""
        folder = self.work / "packages"
        targets = [target for name in names for target in _files_of(name)]
        try:
            for place, target in targets:
                link = folder / place
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.is_symlink():
                    link.symlink_to(target)
        except OSError:
            return
        self._packages = [str(folder)]
        self._visible = [str(target) for _, target in targets]

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        other: dict[str, Any] = {}
        if self._user is not None:
            other = {"user": self._user[0], "group": self._user[1], "extra_groups": []}
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*_python(), str(_MAIN), "nursery", str(theirs.fileno())],
                    env=_clean_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    cwd=self.work,
                    start_new_session=True,
                    **other,
                )
            except PermissionError as problem:
                raise NurseryFailed(
                    f"{problem.filename} cannot be run by the user of functions; Python has to lie"
                    " where everybody may read it"
                ) from None
        self._socket = ours
        ours.sendall(frames.pack(self._config()))

    def _config(self) -> dict[str, object]:
        packages = self._packages
        grader = Path(__file__).resolve().parents[2]
        return {
            "packages": packages,
            "clock": _folders_of([_CLOCK]),
            "environment": _warm_environment(),
            "limits": _child_limits(self.limits),
            "services": list(_WARM_SERVICES),
            "tiers": [tier for tier in self._tiers if tier != "spawn"],
            "request_bytes": _REQUEST_BYTES,
            "work": str(self.work),
            "root": str(self._root),
            "visible": [
                *_SYSTEM_FOLDERS,
                *self._visible,
                sys.base_prefix,
                sys.base_exec_prefix,
                sysconfig.get_path("stdlib"),
                sysconfig.get_path("platstdlib"),
                *self._interpreter(),
            ],
            "hidden": [str(grader)],
        }

    def _interpreter(self) -> list[str]:
        """What an interpreter of a virtual environment needs, without the packages beside it."""
        if sys.prefix == sys.base_prefix:
            return []
        return [str(Path(sys.executable).parent), str(Path(sys.prefix) / "pyvenv.cfg")]

    def _ask(self) -> Isolation:
        if self._socket is None:
            return Isolation("spawn", sys.platform, refused=self._refused)
        parser = frames.Parser()
        while (frame := parser.take()) is None:
            try:
                data = self._socket.recv(4096)
            except OSError:
                data = b""
            if not data:
                return self._fall_back()
            parser.feed(data)
        said = frame[0]
        return Isolation(
            said["tier"],
            sys.platform,
            said["landlock"],
            {**self._refused, **said["refused"]},
            said["filtered"],
            self._user is not None,
        )

    def _fall_back(self) -> Isolation:
        """The nursery has died before it was warm: try without the first tier."""
        problem = self._end_nursery()
        self._refused[self._tiers[0]] = problem
        self._tiers = self._tiers[1:]
        if not self._tiers:
            raise NurseryFailed(f"no process for functions could be started: {problem}")
        assert self._socket is not None
        self._socket.close()
        self._socket = None
        if self._tiers[0] != "spawn":
            self._launch()
        return self._ask()

    def _end_nursery(self) -> str:
        """Wait for the nursery's end; the last line it wrote."""
        process = self._process
        if process is None:
            return ""
        self._process = None
        try:
            _, said = process.communicate(timeout=3.0)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with exit code {process.returncode}"

    def _fork(self, code: str, own: Path) -> ForkedProcess:
        assert self._socket is not None
        ours, door = socket.socketpair()
        status, theirs = socket.socketpair()
        output, write = os.pipe()
        request = {
            "code": code,
            "task": str(self.work / code),
            "tmp": str(own),
            "limits": _child_limits(self.limits),
        }
        process = ForkedProcess(ours, output, status)
        self._forked = [other for other in self._forked if other.alive]
        self._forked.append(process)
        with door, theirs:
            try:
                message = json.dumps(request).encode().ljust(_REQUEST_BYTES)
                socket.send_fds(self._socket, [message], [door.fileno(), write, theirs.fileno()])
            except OSError as problem:
                process.kill()
                raise NurseryFailed(f"the nursery is gone: {problem}") from problem
            finally:
                os.close(write)
        return process

    def _spawn(self, own: Path) -> SpawnedProcess:
        process = SpawnedProcess([*_python(), str(_MAIN), "spawn"], _clean_environment(), own)
        self._spawned.append(process)
        process.send(frames.pack(self._config()), 0)
        # Importing boto3 is not the function's work: wait until that is over.
        parser = frames.Parser()
        while parser.take() is None:
            happened = process.receive(_SPAWN_SECONDS)
            if happened is None or happened.what != "door":
                said = happened.data.decode("utf-8", "replace") if happened else "nothing"
                raise NurseryFailed(f"a process for functions did not start; it said: {said}")
            parser.feed(happened.data)
        return process


def function_user() -> tuple[int, int] | None:
    """User and group that functions run as, from the environment; None is the judge's own.

    NurseryFailed for a name that this machine does not know, and where the judge is not root: only
    root hands a process over to somebody else.
    """
    name = os.environ.get(USER_VARIABLE, "")
    if not name:
        return None
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise NurseryFailed(f"{USER_VARIABLE} is set, and only root can run functions as others")
    if name.isascii() and name.isdigit():
        user = group = int(name)
    else:
        import pwd

        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise NurseryFailed(f"{USER_VARIABLE} names {name}, a user who is not here") from None
        user, group = entry.pw_uid, entry.pw_gid
    if user == 0 or group == 0:
        raise NurseryFailed(f"{USER_VARIABLE} is {name}, and functions never run as root for it")
    return user, group


def _python() -> list[str]:
    """The interpreter without user site, script folder, site customisation and byte code files."""
    return [sys.executable, "-s", "-S", "-P", "-B", "-X", "utf8"]


def _clean_environment() -> dict[str, str]:
    """What the processes start with: an allow-list, and a fixed seed for hashes."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {
        **kept,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
        "LANG": "C.UTF-8",
    }


def _warm_environment() -> dict[str, str]:
    """What boto3 needs to make a client while it warms up; nothing of it is real."""
    return {
        "AWS_ACCESS_KEY_ID": "warm",
        "AWS_SECRET_ACCESS_KEY": "warm",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": os.devnull,
    }


def _child_limits(limits: Limits) -> dict[str, int]:
    chosen = asdict(limits)
    names = ("processes", "files", "file_bytes", "tmp_bytes", "data_bytes")
    # The kernel's own limit on CPU time is for the life of an environment, so it is far above.
    return {name: chosen[name] for name in names} | {"cpu_seconds": 300}


def _folders_of(names: Iterable[str]) -> list[str]:
    """The folders that hold these packages, without importing any of them."""
    folders = [str(target.parent) for name in names for _, target in _files_of(name)[:1]]
    return list(dict.fromkeys(folders))


def _files_of(name: str) -> list[tuple[str, Path]]:
    """What has to be there to import a package: its place below a folder of them, and the file."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    if spec.submodule_search_locations:
        return [(origin.parent.name, origin.parent)]
    found = [(origin.name, origin)]
    if spec.cached and Path(spec.cached).exists():
        found.append((f"__pycache__/{Path(spec.cached).name}", Path(spec.cached)))
    return found


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below ``folder`` in a stable order; ValueError for anything else."""
    for path in sorted(folder.iterdir()):
        if path.name in ("__pycache__", ".git"):
            continue
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield from _files(path)
        elif stat.S_ISREG(mode):
            yield path
        else:
            raise ValueError(f"{path} is neither a file nor a folder")
