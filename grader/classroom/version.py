"""The version of the course: equal versions give equal grades of equal files and seeds.

It is the package's version and a digest of everything that decides a mark: the grader's own sources
below the command line, the pristine labs, the packages that play AWS, and Python itself, whose
words stand in findings.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform

from grader import __version__
from grader.course.files import PACKAGE, content_hash, files_in
from grader.course.lab import READING

# The wings that a grade passes through.
WINGS = ("cloud", "review", "replay", "course")
# The solutions decide no mark, and a clone keeps them elsewhere than a wheel.
_ASIDE = ("course/_solutions/", "replay/drawing.")
PACKAGES = ("boto3", "botocore", "moto", "cfn-lint", "aws-lambda-powertools", "pytest")


@functools.cache
def course_version() -> str:
    """Such as ``0.1.0+5e6f529c03a9``; 30 ms when it is first asked for."""
    sources = {
        f"{wing}/{name}": (PACKAGE / wing / name).read_bytes()
        for wing in WINGS
        for name in files_in(PACKAGE / wing)
        if name.rpartition("/")[2] not in READING and not f"{wing}/{name}".startswith(_ASIDE)
    }
    beside = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    python = ".".join(platform.python_version_tuple()[:2])
    whole = "\0".join([content_hash(sources), f"Python {python}", *beside])
    return f"{__version__}+{hashlib.sha256(whole.encode()).hexdigest()[:12]}"
