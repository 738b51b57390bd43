"""Record the players of the course: ``python tools/players`` writes their files.

They are committed, and a test plays every position again: a page cannot show what the emulator no
longer does. A player is data in one of the modules ``player_…``; `PLAYERS` names all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import player_files as files
from player_alarms import ALARMS
from player_counting import CRASH, OVERLAP, OVERTAKEN
from player_flow import BURST, LANES, SPLIT, WINDOW
from player_model import Play, Player
from player_triggers import POISON
from player_trouble import INCIDENTS, REDRIVE

ROOT = Path(__file__).resolve().parents[2]
PLAYERS: Sequence[Player] = (
    *(SPLIT, POISON, CRASH, OVERLAP, OVERTAKEN, ALARMS, INCIDENTS),
    *(WINDOW, LANES, REDRIVE, BURST),
)
ASSETS, BLOCKS = "docs/assets/players", "includes/players"


def made(player: Player, document: Play) -> Mapping[str, str]:
    """The files of one player by their path in the clone."""
    block = files.block(player, document)
    written = {
        f"{ASSETS}/{player.id}.js": files.script(player, document),
        f"{ASSETS}/{player.id}.svg": files.still(player, document),
        f"{BLOCKS}/{player.id}.md": block,
    }
    if player is POISON:
        written[f"{BLOCKS}/start.md"] = files.at_the_start(player, document)
    return written


def main() -> None:
    """Write every file that is not what it should be."""
    everything = {f"{ASSETS}/viewer.js": files.viewer()}
    for player in PLAYERS:
        everything |= made(player, player.record())
    for name, text in everything.items():
        path = ROOT / name
        if not files.same(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"recorded {name}")


if __name__ == "__main__":
    main()
