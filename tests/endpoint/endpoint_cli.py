"""`aws` for the tests: PyPI's awscli, imported once and forked for every command.

Importing awscli takes longer than anything that a command of the course does. One process holds it
(``python endpoint_cli.py SOCKET``); the `aws` that a page's commands find on their PATH is a few
lines that hand their arguments, folder, environment and open files to it over a Unix socket and
leave with the exit status that comes back.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

_SHIM = """\
#!{python} -IS
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({path!r})
what = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(line, [len(what).to_bytes(8, "big")], [0, 1, 2])
line.sendall(what)
sys.exit(int(line.recv(8) or b"255"))
"""
# One command of each service, so that what awscli reads for it is read once.
_WARMERS = (
    "cloudformation list-stacks",
    "cloudwatch list-dashboards",
    "dynamodb list-tables",
    "lambda list-functions",
    "logs describe-log-groups",
    "sns list-topics",
    "sqs list-queues",
)
_NOBODY = "http://127.0.0.1:9"


class Commands:
    """The process that runs `aws`, and ``folder`` with the `aws` to put on a PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "socket"
        shim = folder / "aws"
        shim.write_text(_SHIM.format(python=sys.executable, path=str(path)), encoding="utf-8")
        shim.chmod(0o755)
        self._process = subprocess.Popen([sys.executable, __file__, str(path)], env=_clean())
        while not path.exists():
            if self._process.poll() is not None:
                raise RuntimeError("awscli cannot be imported")
            time.sleep(0.02)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _main(path: str) -> None:
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_MAX_ATTEMPTS="1",
    )
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for command in _WARMERS:
            driver.main(["--endpoint-url", _NOBODY, *command.split()])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    # The name appears when the line is open.
    listener.bind(path + ".early")
    listener.listen(8)
    Path(path + ".early").rename(path)
    while True:
        line, _ = listener.accept()
        if os.fork() == 0:
            _command(driver, line)
        line.close()


def _command(driver: Any, line: socket.socket) -> None:
    status = 255
    try:
        head, files, _, _ = socket.recv_fds(line, 8, 3)
        for number, file in enumerate(files):
            os.dup2(file, number)
        text = b""
        while len(text) < int.from_bytes(head, "big"):
            text += line.recv(65_536)
        arguments, folder, environment = json.loads(text)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # awscli finds its own data by a variable that it sets when it is imported.
        environment["AWS_DATA_PATH"] = os.environ["AWS_DATA_PATH"]
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv[:] = ["aws", *arguments]
        try:
            # Version 1 sends SQS to an address of its own unless an option says otherwise.
            status = driver.main(["--endpoint-url", os.environ["AWS_ENDPOINT_URL"], *arguments])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        line.sendall(str(status or 0).encode())
        os._exit(0)


if __name__ == "__main__":
    _main(sys.argv[1])
