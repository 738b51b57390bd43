"""`labs docs`: pages as text, and a server that only this machine can reach."""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from grader.course.files import UsageError
from grader.desk import reading
from grader.desk import site as building


def test_the_server_listens_on_loopback_and_serves_its_folder_only(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("start", "utf-8")
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    with building.server(tmp_path / "site", lambda: "{}") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/index.html") as answer:
            assert answer.read() == b"start"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opener.open(f"http://127.0.0.1:{port}/../secret.txt")
        with pytest.raises(UsageError, match="cannot be used"):
            building.server(tmp_path / "site", lambda: "{}", int(port))
        with opener.open(f"http://127.0.0.1:{port}/standing.json") as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (b"{}", "application/json")
        elsewhere = urllib.request.Request(
            f"http://127.0.0.1:{port}/standing.json", headers={"Host": "example.com"}
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opener.open(elsewhere)
        server.shutdown()


def test_a_site_is_stale_when_one_of_its_sources_is_newer(tmp_path: Path) -> None:
    page, start = tmp_path / "docs" / "a.md", tmp_path / "site" / "index.html"
    for path in (page, start):
        path.parent.mkdir()
        path.write_text("x", "utf-8")
    os.utime(page, (1_000, 1_000))
    os.utime(start, (2_000, 2_000))
    assert not building.is_stale(tmp_path, tmp_path / "site")
    os.utime(page, (3_000, 3_000))
    assert building.is_stale(tmp_path, tmp_path / "site")
    start.unlink()
    assert building.is_stale(tmp_path, tmp_path / "site")


def test_a_built_page_reads_as_text_without_its_frame(site) -> None:
    text = reading.as_text(site.folder / "sample.html")
    assert text.lstrip().startswith("Sample\n======")
    for part in (
        "Why does it repeat?",
        "Because of the moon.",
        "    return {",
        "What comes first?",
    ):
        assert part in text
    assert "Table of contents" not in text and "¶" not in text
    assert max(map(len, text.splitlines())) <= 110
    place = reading.as_text(site.folder / "sample.html", "the-place")
    assert "Careful" in place and "Flashcards" not in place


def test_a_printed_page_keeps_its_columns_and_says_where_links_lead(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<article class="md-content__inner"><h1 id="t">Table</h1>'
        "<table><thead><tr><th>Setting</th><th>What it does</th></tr></thead><tbody>"
        '<tr><td><code>BatchSize</code></td><td>More records in an <a href="a.html#x">invocation</a>, '
        "if they are there to fill it: without a window a batch of three goes out as three.</td></tr>"
        "<tr><td>Timeout</td><td>nothing</td></tr></tbody></table>"
        '<p>See <a href="https://docs.aws.amazon.com/lambda/">Lambda</a>, <a href="#t">above</a> and '
        '<a href="a.html#x">there</a>.</p></article>'
    )
    lines = reading.as_text(page).splitlines()
    head = lines.index("Setting    What it does")
    assert set(lines[head + 1]) == {"-", " "} and max(map(len, lines)) <= 80
    assert lines[head + 2].startswith("BatchSize  More records in an invocation [1], if")
    assert lines[head + 3].startswith(" " * 11 + "as three.") or "as three." in lines[head + 3]
    assert lines[head + 4] == "Timeout    nothing"
    assert "See Lambda [2], above and there [1]." in lines
    assert lines[-2:] == ["[1] a#x", "[2] https://docs.aws.amazon.com/lambda/"]


def test_a_built_page_is_tightened_and_says_the_same() -> None:
    page = """<ul>\n  <li>\n    <a href="x">One\n      two</a>\n    <b>three</b>\n  </li>\n</ul>
<!-- a remark -->\n\n<pre><code>a\n<span class="w">    </span>b\n</code></pre>"""
    assert building.tightened('<p id="a" class="b c"><i class="d">"class="e"</i></p>') == (
        '<p id=a class="b c"><i class=d>"class="e"</i></p>'
    )
    assert building.tightened(page) == (
        '<ul><li><a href="x">One\ntwo</a>\n<b>three</b></li></ul><pre><code>a\n    b\n</code></pre>'
    )
    assert (
        building.bare('// Why.\n  if (a) {\n    b("// c");\n  }\n') == 'if (a) {\nb("// c");\n}\n'
    )
    assert building.bare("x = `a\n  b`;\n") == "x = `a\n  b`;\n"
