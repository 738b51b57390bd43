"""Bundles that grade a lab on another platform, unchanged: scripts, the wheel, a hashed lock.

The scripts are the files in ``templates/``, as they stand. The wheel is packed here from the very
package that runs, whether it was installed or is a clone's: so a bundle grades as this machine
does, and needs neither a build backend nor a network. It leaves out the solutions, the pages and
the built site, which no grade reads and which a hand-in has no business with. ``requirements.txt``
pins everything else by hash; the wheel's own hash stands at its end.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from grader.course.files import PACKAGE, UsageError, files_in
from grader.course.lab import Lab

DISTRIBUTION = "streamlabs"
TEMPLATES = Path(__file__).parent / "templates"
# Not in the wheel of a bundle.
LEFT_OUT = ("course/_solutions/", "desk/_docs/", "desk/_site/")
# The same files give the same bytes, whenever they are packed.
_WHEN = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Piece:
    """One file of a bundle, and whether it is run."""

    content: bytes
    runs: bool = False


def bundle(platform: str, lab: Lab, seed: int) -> dict[str, Piece]:
    """The files of a bundle by relative path.

    ``platform`` is gradescope, classroom50 or github-actions.
    UsageError when this package was never installed, so that nothing says what it needs.
    """
    common = _common(lab, seed)
    if platform == "gradescope":
        return {
            "setup.sh": _template("gradescope/setup.sh", runs=True),
            "run_autograder": _template("gradescope/run_autograder", runs=True),
            **common,
        }
    if platform == "classroom50":
        return {"autograder.py": _template("classroom50/autograder.py"), **common}
    action = {
        "action.yml": _template("actions/action.yml"),
        "grade.sh": _template("actions/grade.sh", runs=True),
        **common,
    }
    return {
        **{f".github/actions/labs/{name}": piece for name, piece in action.items()},
        ".github/workflows/labs.yml": _template("actions/labs.yml"),
    }


def _common(lab: Lab, seed: int) -> dict[str, Piece]:
    name, content = wheel()
    lock = (TEMPLATES / "requirements.txt").read_text(encoding="utf-8")
    digest = hashlib.sha256(content).hexdigest()
    return {
        "install.sh": _template("install.sh", runs=True),
        "bundle.env": Piece(f"LABS_LAB={lab.number}\nLABS_SEED={seed}\n".encode()),
        "requirements.txt": Piece(f"{lock}./{name} \\\n    --hash=sha256:{digest}\n".encode()),
        name: Piece(content),
    }


def _template(name: str, *, runs: bool = False) -> Piece:
    return Piece((TEMPLATES / name).read_bytes(), runs)


def zipped(pieces: Mapping[str, Piece]) -> bytes:
    """The files in one zip archive, at its root, with the rights to run what is run."""
    return _zip({name: (piece.content, piece.runs) for name, piece in pieces.items()})


# --- the wheel --------------------------------------------------------------------------------


def wheel() -> tuple[str, bytes]:
    """Name and content of a wheel of the running package, without what no grade needs.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    try:
        known = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        raise UsageError(
            f"A bundle carries {DISTRIBUTION} as it is installed, and it is not: install it first,"
            " with pip or from a clone."
        ) from None
    info = f"{DISTRIBUTION}-{known.version}.dist-info"
    files = {
        f"{PACKAGE.name}/{name}": (PACKAGE / name).read_bytes()
        for name in files_in(PACKAGE)
        if not name.startswith(LEFT_OUT) and "/." not in f"/{name}"
    }
    for name in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
        if (text := known.read_text(name)) is not None:
            files[f"{info}/{name}"] = text.encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: {DISTRIBUTION}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ).encode()
    record = "".join(f"{name},sha256={_digest(c)},{len(c)}\n" for name, c in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    name = f"{DISTRIBUTION}-{known.version}-py3-none-any.whl"
    return name, _zip({path: (content, False) for path, content in files.items()})


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zip(files: Mapping[str, tuple[bytes, bool]]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, runs) in files.items():
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # An ordinary file, written under Unix.
            entry.create_system = 3
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            archive.writestr(entry, content)
    return held.getvalue()
