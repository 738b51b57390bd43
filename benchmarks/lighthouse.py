"""Measure the course site with Lighthouse: start, a module, the simulator.

    python benchmarks/lighthouse.py

It builds the site, serves it compressed to this machine only, as any web server would, and prints
the four scores of each page. It needs MkDocs, Node 20, a Chromium and a network for `npx`. The aim:
accessibility and best practices 100, performance 90 and more on a machine that does nothing else.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from grader.desk import site

ROOT = Path(__file__).resolve().parents[1]
LIGHTHOUSE = "lighthouse@12.8.2"
PAGES = ("index", "modules/02-lambda-triggers", "simulator")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


class Compressed(SimpleHTTPRequestHandler):
    """Files of one folder, compressed on the way."""

    def send_head(self) -> BytesIO | None:
        """The answer's head; the body that follows it."""
        path = Path(self.translate_path(self.path))
        script = path.with_suffix(".js")
        if path.is_file():
            content = path.read_bytes()
        elif path.name == "search_index.json" and script.is_file():
            # A built site has the search's index in one form; `labs docs --serve` answers alike.
            content = script.read_bytes().removeprefix(b"var __index = ").rstrip(b"; \n")
        else:
            self.send_error(404)
            return None
        body = gzip.compress(content)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=31536000")
        self.end_headers()
        return BytesIO(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def measure(address: str, folder: Path) -> dict[str, int]:
    """The scores of one page, 0 to 100."""
    report = folder / "report.json"
    subprocess.run(
        [
            *("npx", "--yes", LIGHTHOUSE, address, "--quiet", "--output=json"),
            f"--output-path={report}",
            "--chrome-flags=--headless=new --no-sandbox",
        ],
        check=True,
        env={"CHROME_PATH": next(filter(None, map(shutil.which, CHROMIUMS)), ""), **os.environ},
    )
    found = json.loads(report.read_text("utf-8"))["categories"]
    return {name: round(100 * category["score"]) for name, category in found.items()}


def main() -> int:
    """Exit code 1 when accessibility or best practices are below 100."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site.build(ROOT, folder / "site")
        handler = partial(Compressed, directory=str(folder / "site"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        worst = 100
        for page in PAGES:
            address = f"http://127.0.0.1:{server.server_address[1]}/{page}.html"
            scores = measure(address, folder)
            worst = min(worst, scores["accessibility"], scores["best-practices"])
            print(page, *(f"{name} {score}" for name, score in scores.items()), sep="  ")
        server.shutdown()
    return int(worst < 100)


if __name__ == "__main__":
    sys.exit(main())
