"""The course site: building and serving it.

The site is built by MkDocs from ``docs/`` and is not committed: a wheel carries
it built (``tools/hatch_site.py``), and in a clone ``labs docs`` builds it when MkDocs is installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grader.course.files import UsageError
from grader.desk import slides

# What a reader of the built site does not need: maps of minified sources, stemmers of other
# languages than English, and the index of the search a second time. From disk a browser takes it
# as a script; `server` answers for the other form.
_UNNEEDED = ("**/*.map", "assets/javascripts/lunr", "search/search_index.json")
_INDEX, _INDEX_SCRIPT = "/search/search_index.json", "search/search_index.js"
# Elements of a page in which white space is part of the text.
_KEPT = re.compile(r"(<(?:pre|script|style|textarea)\b.*?</(?:pre|script|style|textarea)>)", re.S)
_REMARK = re.compile(r"<!--.*?-->", re.S)
# A line that ends at the edge of a block ends anyway.
_AROUND_BLOCK = re.compile(
    r"\n?(</?(?:html|head|meta|link|body|header|main|nav|section|article|aside|footer|div|form|ul|ol"
    r"|li|dl|dt|dd|p|h[1-6]|table|thead|tbody|tr|th|td|details|summary|fieldset)\b[^>]*>)\n?"
)
# Scripts that stand in a page; what has another type is data.
_INLINE = re.compile(r"<script(?![^>]*\b(?:src|type)=)[^>]*>(.*?)</script>", re.S)
_SCRIPT = re.compile(r'<script(?: defer)? src="([^"\s=]+)"(?: defer)?></script>')
# Runs a page's scripts when its first frame is drawn. A page in the background draws none, and who
# follows a link to a place is led there when all stands: there they run before it, as ever.
_BEHIND = (
    '(()=>{const links=document.querySelectorAll("link[as=script]");'
    "if(document.hidden||location.hash)for(const link of links)"
    'document.write(`<script defer src="${link.href}"><\\/script>`);'
    "else requestAnimationFrame(()=>setTimeout(()=>{for(const link of links){"
    'const one=document.createElement("script");one.src=link.href;one.async=false;'
    "document.head.append(one)}}))})()"
)
_MARKED_SPACE = re.compile(r'<span class="w">(\s*)</span>')
# One word needs no quotes; these attributes are most of a page.
# https://html.spec.whatwg.org/multipage/syntax.html#unquoted
_TAG = re.compile(r"<[a-z][^<>]*>")
_ONE_WORD = re.compile(
    r" (class|id|for|scope|rel|role|type|name|tabindex|autocomplete|data-md-[a-z-]+)="
    r'"([\w-]+)"(?=[ >])'
)
# Files of the theme, and what is said there in a way that makes a browser style or lay out a whole
# page anew for one change or question, with what is said instead.
CALMER = (
    # Switches every transition off while colours change: a rule about every element.
    ("stylesheets/palette.*.css", r"\[data-md-color-switching\] \*[^{}]*\{[^{}]*\}", ""),
    # Whatever follows a table, or is the second of anything, may be any element that is added.
    ("stylesheets/main.*.css", r"\.md-typeset table:not\(\[class\]\)\+\*\{[^{}]*\}", ""),
    ("stylesheets/main.*.css", r"(\.tabbed-labels)>:(first|nth)-child", r"\1>label:\2-child"),
    ("stylesheets/main.*.css", r"(\.tabbed-content)>:(first|nth)-child", r"\1>div:\2-child"),
    # A cell's first and last part: every change of a class asks again. Only blocks have a margin
    # above and below.
    (
        "stylesheets/main.*.css",
        r"(table:not\(\[class\]\) t[dh]>):(first|last)-child",
        r"\1:is(p,ul,ol,dl,div,pre,blockquote,details,figure):\2-child",
    ),
    # A second element that names colour schemes; the page has one, and its sheet says the rest.
    (
        "javascripts/bundle.*.js",
        r'(\w=x\("meta",\{name:"color-scheme"\}\));document\.head\.appendChild\(\w\);',
        r"\1;",
    ),
    # Sizes, places and colours are asked for while the page is being built, and the browser lays it
    # out for each answer. They are asked for behind its next frame, when it knows them.
    (
        "javascripts/bundle.*.js",
        r'^("use strict";\(\(\)=>\{)(?!const later)',
        r"\1const later=(()=>{const drawn=new Promise(done=>document.hidden?done()"
        r":requestAnimationFrame(()=>setTimeout(done)));"
        r"return()=>drawn.then(()=>new Promise(done=>setTimeout(done)))})();",
    ),
    (
        "javascripts/bundle.*.js",
        r"(function \w+\(\w\)\{)(let (\w)=\w;for\(;\3\.clientWidth===0&&\3\.parentElement;\)\3=\3"
        r"\.parentElement;return (\w+)\.pipe\(\w+\(\w=>\w\.observe\(\3\)\),(\w+)\("
        r"(?:(?!function ).)*?\})(?=function )",
        r"\1return \4.pipe(\5(()=>later()),\5(()=>{\2))}",
    ),
    (
        "javascripts/bundle.*.js",
        r'(\w+)\((\w+\(window,"scroll",\{passive:!0\}\),\w+\(window,"resize",\{passive:!0\}\)\)'
        r"\.pipe\(\w+\(\w+\)),\w+\(\w+\(\)\)\)(\}function \w+\(\)\{return\{width:innerWidth,"
        r"height:innerHeight\}\}function \w+\(\)\{return )"
        r'(\w+\(window,"resize",\{passive:!0\}\))(\.pipe\(\w+\(\w+\)),\w+\(\w+\(\)\)\)',
        r"\1(later(),\2)\3\1(later(),\4)\5)",
    ),
    (
        "javascripts/bundle.*.js",
        r'(return \w+\()(\w+\(\w,"scroll"\),\w+\(window,"scroll"\),\w+\(window,"resize"\)\)'
        r"\.pipe\([^{}]*?),\w+\(\w+\(\w\)\)\)\}",
        r"\1later(),\2)}",
    ),
    (
        "javascripts/bundle.*.js",
        r'\.pipe\(\w+\((\(\)=>\{let \w=\w+\("header"\)(?:(?!subscribe).)*?\.join\(""\)\})\)\)'
        r"\.subscribe\((\w=>\w\.content=`#\$\{\w\}`)\)",
        r".subscribe(()=>later().then(\1).then(\2))",
    ),
    # A piece of code gets its button and its name behind the first frame, in a task of its own.
    (
        "javascripts/bundle.*.js",
        r'\w\("content\.lazy"\)\?(\w+\(\w\)\.pipe\()\w\(\w=>\w\),(\w+\(1\)),(\w)\(\(\)=>(\w)\)\):\4',
        r"\1\2,\3(()=>later()),\3(()=>\4))",
    ),
    # A menu that goes before it was placed, since the page is printed at once, had no first place.
    (
        "javascripts/bundle.*.js",
        r'(\w\.pipe\(\w+\()(\)\)\.subscribe\(\(\)=>\{for\(let \w of \w+\("\.md-nav__link--active)',
        r"\1void 0,0\2",
    ),
    # The page is whole before any script runs; its parts are made in a task of their own.
    (
        "javascripts/bundle.*.js",
        r'\w+\(document,"DOMContentLoaded",\{once:!0\}\)\.subscribe\((\(\)=>\w\.next\(document\))\)',
        r"later().then(\1)",
    ),
    # What scrolls can be reached by keyboard, on a telephone as well: theme.js sees to it.
    (
        "javascripts/bundle.*.js",
        r'\w\.subscribe\(\(\{scrollable:(\w)\}\)=>\{\1&&\w\?\w\.setAttribute\("tabindex","0"\):\w'
        r'\.removeAttribute\("tabindex"\)\}\);',
        "",
    ),
    # Whether a browser can copy: each of them can, and each piece of code asks.
    ("javascripts/bundle.*.js", r"\w+\.default\.isSupported\(\)&&", ""),
)
# What the site is made of, in a clone.
_SOURCES = ("docs", "includes", "overrides", "grader/course/starters", "solutions", "mkdocs.yml")


# --- building ---------------------------------------------------------------------------------


def can_build() -> bool:
    """Whether MkDocs and its theme are installed beside this package."""
    return all(importlib.util.find_spec(name) for name in ("mkdocs", "material"))


def build(root: Path, target: Path, *, strict: bool = False) -> str:
    """Build the site of the clone at ``root`` into ``target``, without what nobody needs.

    Returns what MkDocs said. UsageError when it fails; with ``strict`` every warning is a failure.
    """
    # Not --quiet: it would hide the warnings from --strict.
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(target)]
    done = subprocess.run(
        [*command, "--strict" if strict else "--no-strict"],
        cwd=root,
        capture_output=True,
        text=True,
        # The theme announces its end of life on every build; it is pinned.
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    said = done.stdout + done.stderr
    if done.returncode:
        raise UsageError(f"The site cannot be built: {said.strip()}")
    trim(target)
    calm(target)
    guard(target)
    return said


def slides_of(known: Mapping[str, Path], module: int) -> str:
    """Make the slides of a module among ``known`` pages; their name. UsageError without a page."""
    for name, page in known.items():
        if page.suffix == ".html" and re.fullmatch(rf"modules/0*{module}-[a-z0-9-]+", name):
            return f"modules/{slides.write(page).name.removesuffix('.html')}"
    raise UsageError(
        f"There are no slides of module {module}. Modules are 1 to 6; a built site has slides."
    )


def trim(site: Path) -> None:
    """Delete from a built site what its readers do not need."""
    for pattern in _UNNEEDED:
        for path in sorted(site.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    for page in site.rglob("*.html"):
        page.write_text(tightened(page.read_text(encoding="utf-8")), encoding="utf-8")
    for folder in ("js", "players"):
        for script in (site / "assets" / folder).glob("*.js"):
            script.write_text(bare(script.read_text(encoding="utf-8")), encoding="utf-8")


def guard(site: Path) -> None:
    """Give every page of a built site its policy, and scripts that hold up nothing."""
    frame = _frame(site)
    for page in site.rglob("*.html"):
        html = deferred(page.read_text(encoding="utf-8"))
        page.write_text(guarded(html, frame), encoding="utf-8")


def calm(site: Path) -> None:
    """Say in the theme's files what makes a browser style a whole page anew in a narrower way, and
    ask behind the next frame for what makes it lay one out.

    While the page of module 2 loads, 2,900 elements are styled instead of 6,900.
    """
    for files, pattern, instead in CALMER:
        for path in (site / "assets").glob(files):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(pattern, instead, text), encoding="utf-8")


def deferred(html: str) -> str:
    """A page that is drawn before its scripts run, in their order; they are fetched meanwhile."""
    text, count = _SCRIPT.subn(r"<link rel=preload as=script fetchpriority=low href=\1>", html)
    return text.replace("</body>", f"<script>{_BEHIND}</script></body>", 1) if count else html


def guarded(html: str, *more: str) -> str:
    """A page with a policy: only the site's files, the page's own scripts, and ``more`` of them.

    From disk every file is another origin, so the scheme is named beside it. The theme and the
    viewer bring rules along in elements; styles may stand in the page. Nothing is sent anywhere.
    """
    own = "'self' file:"
    scripts = [*dict.fromkeys([*_INLINE.findall(html), *more])]
    hashes = (b64encode(sha256(one.encode()).digest()).decode() for one in scripts)
    policy = "; ".join(
        [
            "default-src 'none'",
            " ".join([f"script-src {own}", *(f"'sha256-{one}'" for one in hashes)]),
            f"style-src {own} 'unsafe-inline'",
            f"img-src {own} data:",
            # A picture with links, the decision tree, is an object with a frame of its own.
            f"object-src {own}",
            f"frame-src {own}",
            "font-src data:",
            "connect-src 'self'",
            f"worker-src {own}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return re.sub(r'<meta charset="utf-8" ?/?>', lambda found: found[0] + meta, html, count=1)


def _frame(site: Path) -> str:
    """The script that the search has in its frame when it works from disk."""
    shim = (site / "assets" / "vendor" / "iframe-worker" / "shim.js").read_text(encoding="utf-8")
    found = re.search(r"`<html><body><script>(.*?)<\\/script>", shim, re.S)
    assert found is not None
    sources = re.finditer(r"function (\w)\(.*?\}(?=function|var )", shim, re.S)
    by_name = {one[1]: one[0] for one in sources}
    return re.sub(r"\$\{(\w)\}", lambda name: by_name[name[1]], found[1])


def tightened(html: str) -> str:
    """A page without the indents, empty lines and remarks that its templates leave in it, without
    marks around the spaces of its code, which no sheet colours, and without needless quotes.

    White space between words stays; where it is part of what is shown, nothing changes.
    """
    parts = _KEPT.split(html)
    text = "".join(
        re.sub(_MARKED_SPACE, r"\1", part)
        if number % 2
        else re.sub(_AROUND_BLOCK, r"\1", re.sub(r"\s*\n\s*", "\n", re.sub(_REMARK, "", part)))
        for number, part in enumerate(parts)
    )
    return _TAG.sub(lambda tag: _ONE_WORD.sub(r" \1=\2", tag[0]), text)


def bare(script: str) -> str:
    """A script of ours without indents and remarks on lines of their own.

    One that has a text of several lines stays as it is.
    """
    lines = script.splitlines()
    if any(line.count("`") % 2 for line in lines):
        return script
    stripped = (line.strip() for line in lines)
    return "".join(f"{line}\n" for line in stripped if line and not line.startswith("// "))


def is_stale(root: Path, site: Path) -> bool:
    """Whether something in the clone is newer than the site built from it, or there is none."""
    start = site / "index.html"
    if not start.is_file():
        return True
    built = start.stat().st_mtime
    sources = [root / name for name in _SOURCES]
    files = (path for one in sources for path in (one.rglob("*") if one.is_dir() else [one]))
    return any(path.stat().st_mtime > built for path in files if path.is_file())


# --- serving ----------------------------------------------------------------------------------


# The page's script that says whether it is served from here, and what it asks for then.
_SERVED = "/assets/js/standing.js"
_STANDING = "/standing.json"
_SERVED_SCRIPT = '"use strict";\n\nglobalThis.streamlabs.served = true;\n'


class _Pages(SimpleHTTPRequestHandler):
    """Files of one folder, and where the learner stands, without a line for every request."""

    def __init__(self, *args: Any, standing: Callable[[], str], **others: Any) -> None:
        self.standing = standing
        super().__init__(*args, **others)

    def do_GET(self) -> None:
        """Answer what only this server knows, then files."""
        path = urlsplit(self.path).path
        # A page of another site that has made its name lead here may not read a learner's points.
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in ("127.0.0.1", "localhost"):
            self.send_error(403)
        elif path == _SERVED:
            self._answer("text/javascript", _SERVED_SCRIPT)
        elif path == _INDEX:
            script = (Path(self.directory) / _INDEX_SCRIPT).read_text(encoding="utf-8")
            self._answer("application/json", script.removeprefix("var __index = ").rstrip("; "))
        elif path == _STANDING:
            try:
                self._answer("application/json", self.standing())
            except UsageError as error:
                self.send_error(503, explain=str(error))
        else:
            super().do_GET()

    def _answer(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def server(folder: Path, standing: Callable[[], str], port: int = 0) -> ThreadingHTTPServer:
    """A server of ``folder`` that only this machine can reach; port 0 takes any free one.

    ``standing`` gives where the learner stands, as `labs list --json` does, each time a page asks.
    UsageError when the port is taken.
    """
    handler = partial(_Pages, directory=str(folder), standing=standing)
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(f"Port {port} cannot be used: {error.strerror}.") from None
