"""Draw the pictures of the course: ``python tools/pictures`` writes docs/assets/pictures.

They are committed, and a test draws them again: a picture of what the emulator does cannot show
what it no longer does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from picture_house import house
from picture_incidents import incidents
from picture_played import lanes, timeline
from picture_replay import replay
from picture_schematic import decision_tree, fold, pipeline
from picture_story import STORIES, story

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "assets" / "pictures"

PICTURES: dict[str, Callable[[], str]] = {
    "pipeline": pipeline,
    "house": house,
    "shards-and-lanes": lanes,
    "incidents": incidents,
    "poison-day": timeline,
    "replay": replay,
    "fold": fold,
    "decision-tree": decision_tree,
    **{name: partial(story, name) for name in STORIES},
}


def main() -> None:
    """Write every picture that is not what it should be."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        path = FOLDER / f"{name}.svg"
        text = draw()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"drew {path.name}")


if __name__ == "__main__":
    main()
