"""``labs class export``: bundles that grade a lab on another platform."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cloud.words import counted
from grader.desk.terminal import say, writing

PLATFORMS = ("gradescope", "classroom50", "github-actions")
# What to do with it there.
NEXT = {
    "gradescope": "Upload it as the autograder of a programming assignment worth 100 points.",
    "classroom50": "Copy the folder to CLASSROOM/autograders/ASSIGNMENT in your classroom50"
    " repository.",
    "github-actions": "Commit both folders below .github to the template of the learners'"
    " repositories.",
}


@click.command()
@click.argument("platform", type=click.Choice(PLATFORMS))
@click.argument("which", metavar="N")
@click.argument("target", metavar="FILE|DIR")
@click.option("--seed", type=int, default=0, metavar="S", help="Other ids and amounts. Default: 0.")
def export(platform: str, which: str, target: str, seed: int) -> None:
    """Write a bundle that grades lab N on another platform.

    PLATFORM is gradescope, classroom50 or github-actions. A bundle carries the course as it is
    installed here, a lock of hashes for everything else, and scripts that keep learner code away
    from the results. For gradescope it is a zip file, for the others files in the folder DIR; what
    has the same name there is replaced.

    \b
    labs class export gradescope 2 lab-2.zip --seed 2611
    labs class export classroom50 2 autograders/lab-2
    labs class export github-actions 2 template
    """
    from grader.classroom.outward import bundles
    from grader.course.files import UsageError, shown, write_whole
    from grader.course.lab import find

    lab, place = find(which), Path(target)
    if platform == "gradescope" and place.is_dir():
        raise UsageError(f"{shown(place)} is a folder; a bundle for gradescope is a zip file.")
    if platform != "gradescope" and place.exists() and not place.is_dir():
        raise UsageError(f"{shown(place)} is a file; a bundle for {platform} is a folder.")
    pieces = bundles.bundle(platform, lab, seed)
    with writing(place):
        if platform == "gradescope":
            write_whole(place, bundles.zipped(pieces))
        else:
            for name, piece in pieces.items():
                write_whole(place / name, piece.content)
                (place / name).chmod(0o755 if piece.runs else 0o644)
    say(f"{shown(place)}: lab {lab.number} ({lab.slug}), {counted(len(pieces), 'file')}.")
    say(NEXT[platform])
