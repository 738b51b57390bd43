"""Who is let in, what is never kept, and that no command in a prepared shell reaches elsewhere."""

from __future__ import annotations

import http.client
import json
import os
import runpy
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.cloud import Cloud, Nursery
from grader.sandbox import Pace, Sandbox, Server
from grader.sandbox.home import UNSET, Home

SIGNED = (
    "AWS4-HMAC-SHA256 Credential={}/20261102/{}/{}/aws4_request, SignedHeaders=host, Signature=0"
)
LIST = "DynamoDB_20120810.ListTables"


@pytest.fixture(name="server", scope="module")
def _server(nursery: Nursery) -> Iterator[Server]:
    cloud = Cloud(nursery, live=True)
    with Server(Sandbox(cloud, pace=Pace(cloud.clock, step_ms=1_000))) as server:
        yield server
    cloud.close()


def ask(
    server: Server,
    method: str = "POST",
    path: str = "/",
    *,
    key: str = "testing",
    service: str = "dynamodb",
    region: str = "us-east-1",
    target: str = LIST,
    more: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """One request over a line of its own; status and text."""
    line = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"X-Amz-Target": target, "Authorization": SIGNED.format(key, region, service)}
    line.request(method, path, "{}", {**headers, **(more or {})})
    reply = line.getresponse()
    text = reply.read().decode()
    line.close()
    return reply.status, text


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server._http.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "more",
    [
        {"Host": "evil.example:4566"},
        {"Host": "127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Access-Control-Request-Method": "POST"},
    ],
)
def test_other_hosts_and_pages_of_other_sites_are_refused(
    more: dict[str, str], server: Server
) -> None:
    """Nothing behind the door sees them, not even with the token."""
    before = len(server.sandbox.asked)
    for path in ("/", "/_labs/state"):
        status, _ = ask(server, path=path, more={**more, "X-Labs-Token": server.token})
        assert status == 403
    assert len(server.sandbox.asked) == before


def test_a_preflight_gets_no_permission(server: Server) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.port)
    line.request("OPTIONS", "/", headers={"Origin": "https://evil.example"})
    reply = line.getresponse()
    assert reply.status == 403
    assert not [name for name, _ in reply.getheaders() if name.lower().startswith("access-control")]
    line.close()


@pytest.mark.parametrize("key", ["AKIAQQQQQQQQQQQQQQQQ", "ASIAQQQQQQQQQQQQQQQQ"])
def test_keys_that_look_real_are_refused_and_kept_nowhere(key: str, server: Server) -> None:
    status, text = ask(server, key=key)
    assert status == 403 and "labs sandbox --env" in text and key not in text
    box = server.sandbox
    kept = repr([box.asked, box.breakdowns, server.turned_away, box.state()])
    assert key not in kept


def test_the_examples_of_aws_are_let_in(server: Server) -> None:
    assert ask(server, key="AKIAIOSFODNN7EXAMPLE")[0] == 200


def test_a_session_token_is_refused(server: Server) -> None:
    status, text = ask(server, more={"X-Amz-Security-Token": "FwoGZXIvYXdzE"})
    assert status == 403 and "AWS_PROFILE" in text and "FwoGZXIvYXdzE" not in text


def test_unsigned_requests_and_other_regions_are_refused(server: Server) -> None:
    assert ask(server, more={"Authorization": ""})[0] == 403
    status, text = ask(server, region="eu-west-1")
    assert status == 400 and "us-east-1" in text


@pytest.mark.parametrize("route", ["state", "time"])
def test_the_owners_routes_need_the_token(route: str, server: Server) -> None:
    path = f"/_labs/{route}"
    assert ask(server, "GET", path)[0] == 403
    assert ask(server, "GET", path, more={"X-Labs-Token": "x" * 43})[0] == 403
    status, text = ask(server, "GET", path, more={"X-Labs-Token": server.token})
    assert status == 200 and json.loads(text)


def test_a_body_of_unknown_or_absurd_length_is_not_read(server: Server) -> None:
    assert ask(server, more={"Content-Length": str(1 << 40)})[0] == 413


def test_every_request_takes_a_moment_of_virtual_time(server: Server) -> None:
    before = server.sandbox.cloud.clock.now
    ask(server)
    assert server.sandbox.cloud.clock.now == before + 1_000


# -- the shell -----------------------------------------------------------------------------------

REAL = {
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_PROFILE": "work",
    "AWS_SESSION_TOKEN": "secret",
    "AWS_ACCESS_KEY_ID": "AKIAQQQQQQQQQQQQQQQQ",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_ROLE_ARN": "arn:aws:iam::210987654321:role/admin",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.eu-west-1.amazonaws.com",
    "AWS_CONFIG_FILE": "/home/me/.aws/config",
    "AWS_REGION": "eu-west-1",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "HTTP_PROXY": "http://proxy.example:3128",
}
LOOK = """
import boto3, json
session = boto3.session.Session()
found = {}
for name in ("dynamodb", "dynamodbstreams", "sqs", "sns", "s3", "lambda", "cloudformation",
             "cloudwatch", "logs", "sts", "budgets"):
    client = session.client(name)
    found[name] = [client.meta.endpoint_url, client.meta.region_name]
keys = session.get_credentials().get_frozen_credentials()
print(json.dumps([found, session.profile_name, keys.access_key, keys.token]))
print(boto3.client("sts").get_caller_identity()["Account"])
"""


@pytest.fixture(name="home")
def _home(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    home = Home(server.port)
    home.write(server.token, "a test")
    return home


def looked(environment: Mapping[str, str], words: list[str] | None = None) -> list[str]:
    """What boto3 says of a shell about every service that the course uses."""
    done = subprocess.run(
        words or [sys.executable, "-c", LOOK],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()


def judge(server: Server, lines: list[str]) -> None:
    """Every client comes here, with our keys, whatever the shell had before."""
    found, profile, key, token = json.loads(lines[0])
    assert set(map(tuple, found.values())) == {(server.url, "us-east-1")}
    assert (profile, key, token) == ("default", "testing", None)
    assert lines[1] == "123456789012"


def test_no_command_in_the_shell_can_reach_a_real_profile(
    server: Server, home: Home, tmp_path: Path
) -> None:
    """A home with a real-looking profile, and every variable that leads to it, lead here."""
    aws = tmp_path / ".aws"
    aws.mkdir()
    (aws / "config").write_text("[profile work]\nregion = eu-west-1\n", encoding="utf-8")
    (aws / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAQQQQQQQQQQQQQQQQ\naws_secret_access_key = s\n",
        encoding="utf-8",
    )
    inherited = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **REAL}
    judge(server, looked(home.environment(inherited)))


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell reads these lines")
def test_the_lines_for_eval_do_the_same(server: Server, home: Home, tmp_path: Path) -> None:
    script = "\n".join([*home.lines("sh"), f"exec '{sys.executable}' -c '{LOOK}'"])
    local = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **REAL}
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        del local[name]
    judge(server, looked(local, ["/bin/sh", "-c", script]))


@pytest.mark.parametrize("kind", ["sh", "fish", "powershell"])
def test_the_lines_of_every_shell_name_everything(kind: str, home: Home) -> None:
    text = "\n".join(home.lines(kind))
    assert all(name in text for name in (*UNSET, *home.variables()))
    assert "AWS_PROFILE" in UNSET and "AWS_SESSION_TOKEN" in UNSET


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_what_is_left_for_other_terminals_is_the_owners_alone(home: Home, server: Server) -> None:
    for path in home.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    assert home.ask("GET", "/_labs/time")["now_ms"] == server.sandbox.cloud.clock.now


@pytest.mark.skipif(sys.platform == "win32", reason="the wrapper is a POSIX script there")
@pytest.mark.parametrize(
    ("version", "wrapped"),
    [("1.46.2 Python/3.11", True), ("2.9.19 Python/3.11", True), ("2.13.0 Python/3.11", False),
     ("2.31.4 Python/3.13", False)],
)  # fmt: skip
def test_an_aws_that_would_go_elsewhere_gets_a_wrapper(
    version: str, wrapped: bool, home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    aws = folder / "aws"
    aws.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo aws-cli/{version} && exit\necho "$@"\n',
        encoding="utf-8",
    )
    aws.chmod(0o755)
    told = home.wrap(str(folder))
    assert (told is not None) == wrapped
    environment = home.environment({"PATH": f"{folder}:/usr/bin:/bin"})
    (line,) = looked(environment, ["/bin/sh", "-c", "aws sqs list-queues"])
    asked = f"--endpoint-url {home.url} sqs list-queues" if wrapped else "sqs list-queues"
    assert line == asked
    # What version 2 uploads for a stack heeds no option; a plugin of its configuration points it.
    plugged = version.startswith("2.9")
    config = (home.folder / "config").read_text(encoding="utf-8")
    assert (f"cli_legacy_plugin_path = {home.folder / 'bin'}" in config) == plugged
    if plugged:
        plugin = runpy.run_path(str(home.folder / "bin" / "labs_endpoint.py"))
        session = SimpleNamespace(create_client=lambda _name, **given: given["endpoint_url"])
        plugin["pointed"](session)
        assert session.create_client("s3", endpoint_url=None) == home.url
        assert (
            session.create_client("s3", endpoint_url="http://127.0.0.1:1") == "http://127.0.0.1:1"
        )
