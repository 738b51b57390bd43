"""Where a running sandbox leaves word for the owner's other terminals, and what it tells clients.

One folder for each port, its owner's alone: the address and the token in a file of mode 0600, empty
configuration and credentials for the AWS CLI, and an `aws` for PATHs whose own would go elsewhere.
Nothing here is read from, or written to, the configuration of a real account.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from grader.classroom.private import make_private_folder, write_private
from grader.cloud.aws import REGION
from grader.course.files import UsageError

DEFAULT_PORT = 4566
SHELLS = ("sh", "fish", "powershell")
KEY = "testing"
_SERVICES = (
    *("BUDGETS", "CLOUDFORMATION", "CLOUDWATCH", "CLOUDWATCH_LOGS", "DYNAMODB", "LAMBDA"),
    *("DYNAMODB_STREAMS", "S3", "SNS", "SQS", "STS"),
)
# What a client may read that would lead it to a real account.
UNSET = (
    *(f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
)
# The first AWS CLI that reads AWS_ENDPOINT_URL; version 1 reads it, too, but sends SQS elsewhere.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
FIRST_V2 = (2, 13)
# Before that, `cloudformation package` and uploads of `deploy` heed no --endpoint-url either: the
# bucket's address is Amazon's. So version 2 is told by a plugin of its own configuration.
# https://github.com/aws/aws-cli/blob/v2/awscli/plugin.py
_PLUGGED = "labs_endpoint.py"
_PLUGIN = """\
def awscli_initialize(hooks):
    hooks.register("session-initialized", pointed)


def pointed(session, **_):
    create = session.create_client

    def here(*names, **given):
        return create(*names, **{{**given, "endpoint_url": given.get("endpoint_url") or {url!r}}})

    session.create_client = here
"""
_ANSWER_S = 600.0


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of the sandbox at ``port``."""

    port: int

    @property
    def folder(self) -> Path:
        """The folder itself, which need not exist."""
        return _state() / "sandbox" / str(self.port)

    @property
    def url(self) -> str:
        """Where clients reach the sandbox."""
        return f"http://127.0.0.1:{self.port}"

    # -- the running sandbox's side ---------------------------------------------------------------

    def write(self, token: str, title: str) -> None:
        """Leave word for the other terminals."""
        make_private_folder(self.folder)
        self.folder.chmod(0o700)
        told = {"url": self.url, "token": token, "pid": os.getpid(), "title": title}
        write_private(self.folder / "sandbox.json", json.dumps(told), durable=False)
        self._configure()
        keys = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n"
        write_private(self.folder / "credentials", keys, durable=False)

    def _configure(self) -> None:
        """The CLI's configuration; with the plugin, once that is there."""
        # Version 1 of the CLI would print some times as numbers of seconds.
        # https://docs.aws.amazon.com/cli/latest/topic/config-vars.html
        told = f"[default]\nregion = {REGION}\ncli_timestamp_format = iso8601\n"
        own = self.folder / "bin"
        if (own / _PLUGGED).exists():
            name = _PLUGGED.removesuffix(".py")
            told += f"[plugins]\ncli_legacy_plugin_path = {own}\nlabs = {name}\n"
        write_private(self.folder / "config", told, durable=False)

    def remove(self) -> None:
        """Take everything away again."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- the other terminals' side ----------------------------------------------------------------

    def read(self) -> dict[str, Any]:
        """What the sandbox there has left; UsageError when none runs."""
        try:
            told = json.loads((self.folder / "sandbox.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UsageError(
                f"No sandbox of yours runs on port {self.port}: `labs sandbox 2` starts one, and "
                "--port names another."
            ) from None
        if not isinstance(told, dict) or told.get("url") != self.url:
            raise UsageError(f"What was left of the sandbox on port {self.port} cannot be read.")
        return told

    def ask(self, method: str, route: str) -> dict[str, Any]:
        """The sandbox's answer on one of its owner's routes. UsageError."""
        token = str(self.read()["token"])
        asked = Request(self.url + route, method=method, headers={"X-Labs-Token": token})
        try:
            # No proxy of this machine has a say: the request stays on it.
            with build_opener(ProxyHandler({})).open(asked, timeout=_ANSWER_S) as reply:
                return dict(json.loads(reply.read()))
        except HTTPError as refused:
            raise UsageError(refused.read().decode("utf-8", "replace")) from None
        except (URLError, OSError, ValueError):
            raise UsageError(
                f"The sandbox on port {self.port} does not answer; it may have ended."
            ) from None

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """``inherited`` as a client of this sandbox needs it: it can reach no real account."""
        kept = {name: text for name, text in inherited.items() if not name.startswith("AWS_")}
        kept.update(self.variables())
        kept["PATH"] = os.pathsep.join(
            filter(None, [str(self.folder / "bin"), inherited.get("PATH", "")])
        )
        local = "127.0.0.1,localhost"
        for name in ("NO_PROXY", "no_proxy"):
            kept[name] = ",".join(filter(None, [inherited.get(name, ""), local]))
        return kept

    def variables(self) -> dict[str, str]:
        """What points clients at this sandbox, by the names of environment variables."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(self.folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "AWS_PAGER": "",
        }

    def lines(self, shell: str) -> list[str]:
        """The lines that ``eval`` (or PowerShell's Invoke-Expression) reads."""
        path = str(self.folder / "bin")
        if shell == "fish":
            return [
                f"set -e {' '.join(UNSET)};",
                *(f"set -gx {name} {_quoted(text)};" for name, text in self.variables().items()),
                f"set -gx PATH {_quoted(path)} $PATH;",
            ]
        if shell == "powershell":
            return [
                *(f"Remove-Item Env:{name} -ErrorAction SilentlyContinue;" for name in UNSET),
                *(
                    "$Env:" + name + " = '" + text.replace("'", "''") + "';"
                    for name, text in self.variables().items()
                ),
                "$Env:PATH = '" + path.replace("'", "''") + os.pathsep + "' + $Env:PATH;",
            ]
        return [
            f"unset {' '.join(UNSET)};",
            *(f"export {name}={_quoted(text)};" for name, text in self.variables().items()),
            f'export PATH={_quoted(path)}:"$PATH";',
        ]

    def wrap(self, path: str | None = None) -> str | None:
        """Put an `aws` with ``--endpoint-url`` in front where the one on PATH needs it.

        Returns a sentence about it, None where there is no `aws` or nothing to do.
        """
        own = self.folder / "bin"
        if any((own / name).exists() for name in ("aws", "aws.cmd")):
            return None  # said when the sandbox started
        parts = (path if path is not None else os.environ.get("PATH", "")).split(os.pathsep)
        found = shutil.which("aws", path=os.pathsep.join(one for one in parts if one != str(own)))
        if found is None:
            return None
        version = _version(found)
        if version is not None and version[0] >= 2 and version >= FIRST_V2:
            return None
        make_private_folder(own)
        if version is not None and version[0] >= 2:
            plugin = _PLUGIN.format(url=self.url)
            write_private(own / _PLUGGED, plugin, durable=False)
            self._configure()
        if os.name == "nt":
            text = f'@"{found}" --endpoint-url {self.url} %*\r\n'
            (own / "aws.cmd").write_text(text, encoding="utf-8")
        else:
            wrapper = own / "aws"
            text = f'#!/bin/sh\nexec {_quoted(found)} --endpoint-url {self.url} "$@"\n'
            wrapper.write_text(text, encoding="utf-8")
            wrapper.chmod(0o700)
        shown = ".".join(map(str, version)) if version else "of unknown version"
        return (
            f"The `aws` on your PATH ({shown}) does not send everything to AWS_ENDPOINT_URL by "
            "itself: a wrapper with --endpoint-url stands in front of it. Nothing to do."
        )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _state() -> Path:
    """Where programs of this machine's user keep what they need between runs."""
    base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    if base:
        return Path(base) / "streamlabs"
    try:
        return Path.home() / ".local" / "state" / "streamlabs"
    except RuntimeError:  # nobody's home
        user = os.getuid() if hasattr(os, "getuid") else 0
        return Path(tempfile.gettempdir()) / f"streamlabs-{user}"


def _version(aws: str) -> tuple[int, ...] | None:
    """The version of an AWS CLI; None when it does not say."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    try:
        done = subprocess.run(
            [aws, "--version"], capture_output=True, text=True, timeout=60, env=clean, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = (done.stdout + done.stderr).partition("aws-cli/")[2].split()
    try:
        return tuple(int(part) for part in said[0].split(".")) if said else None
    except ValueError:
        return None


def shell_command() -> list[str]:
    """The shell of this machine's user."""
    if sys.platform == "win32":
        return [os.environ.get("COMSPEC", "cmd.exe")]
    return [os.environ.get("SHELL") or "/bin/sh"]
