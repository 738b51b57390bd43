"""A build hook of hatchling: the wheel carries the built course site, if it can be built here.

It can where MkDocs and its theme are installed beside hatchling, as the extras `docs` and `test`
do. Elsewhere, as in an isolated build, the wheel carries the pages' Markdown text only, and says
so. An editable install needs neither.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SiteHook(BuildHookInterface[Any]):
    """Builds the site into a temporary folder and adds it as ``grader/desk/_site``."""

    PLUGIN_NAME = "custom"
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built; ``version`` is "editable" for an editable install."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        try:
            from grader.desk import site

            if not site.can_build():
                self.app.display_warning("MkDocs is not installed: the wheel gets no built site.")
                return
            self._folder = tempfile.TemporaryDirectory()
            target = Path(self._folder.name) / "site"
            site.build(root, target)
        finally:
            sys.path.remove(str(root))
        for path in sorted(target.rglob("*")):
            if path.is_file():
                inside = path.relative_to(target).as_posix()
                build_data["force_include"][str(path)] = f"grader/desk/_site/{inside}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is written."""
        if self._folder is not None:
            self._folder.cleanup()
