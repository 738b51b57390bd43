"""What begins and ends a class: ``labs class init``, ``take`` and ``forget``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cloud.words import clean, counted
from grader.desk.terminal import MET, UNMET, Status, say, warn, writing

if TYPE_CHECKING:
    from grader.classroom.roster import Learner
    from grader.classroom.settings import Settings
    from grader.classroom.taking import Outcome, Taker

# So many learners are named who handed in something new; of more, their number says enough.
FEW = 5


def _tell(text: str) -> None:
    """Say one line that holds names of others, so that none of them becomes two lines or steers."""
    say(clean(text).replace("\n", " "))


@click.command()
@click.argument("folder", metavar="[DIR]", default=".")
def init(folder: str) -> None:
    """Write a documented class.toml into DIR (the current folder unless given).

    It says which labs are handed in, until when, what late costs, with which seeds they are graded,
    and where everything lies. A time in it names its zone.

    \b
    labs class init streams-class
    """
    from grader.classroom.settings import load, write_new
    from grader.course.files import UsageError, shown

    root = Path(folder)
    if root.exists() and not root.is_dir():
        raise UsageError(f"{shown(root)} is a file; give a folder for the class.")
    with writing(root):
        place = write_new(root)
    settings = load(root)
    say(f"{shown(place)}: written; its comments say what may stand in it")
    say(f"Next: write who is in the class into {shown(settings.roster)}, one a line below")
    say("      learner,name,email,section")
    say("      (a platform's list of participants will do), then labs class take FILE")


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1)
@click.option("--lab", "which", metavar="N", help="Everything in SOURCE is of lab N.")
@click.option("--times", metavar="CSV", help="When each learner handed in, by a CSV file.")
@click.option("--zone", metavar="ZONE", help="The time zone of times in CSV that name none.")
@click.option(
    "--attempt",
    type=click.IntRange(min=1),
    metavar="K",
    help="Attempt K counts, where there is one. Default: the newest.",
)
@click.option("--learner", metavar="LEARNER", help="Whose attempt K counts; without SOURCE.")
@click.option(
    "--platform",
    type=click.Choice(["moodle", "canvas", "gradescope", "folders"]),
    help="Who wrote SOURCE, where it is not recognised.",
)
def take(
    sources: tuple[str, ...],
    which: str | None,
    times: str | None,
    zone: str | None,
    attempt: int | None,
    learner: str | None,
    platform: str | None,
) -> int:
    """Take what a learning platform hands out into handed-in/.

    SOURCE is a zip, a tar or a folder: "Download all submissions" of Moodle or Canvas, an export of
    Gradescope, a folder of clones, or one with a folder or an archive for each learner. Who handed
    in comes from its names and the roster, never from a learner's file. The lab comes from folders
    called NN-slug, from the files where only one lab has them, or from --lab.

    When something was handed in comes from the platform (Gradescope alone says it), else from
    --times: a column of times beside columns that a roster has, such as Moodle's grading worksheet.
    The stamps in archives are no evidence. A hand-in whose time is unknown is never late.

    Every attempt is kept. The newest counts, or the one that --attempt says. What is hostile or
    unclear is refused in a sentence, and all others are taken; the exit code is 1 then. Taking the
    same again changes nothing.

    \b
    labs class take streams-lab-2.zip --lab 2 --times worksheet.csv --zone Europe/Berlin
    labs class take submissions.zip clones/
    labs class take --learner ada --lab 2 --attempt 1
    """
    from grader.classroom import roster
    from grader.classroom.record import Record
    from grader.classroom.settings import load
    from grader.classroom.taking import Taker, Wish
    from grader.classroom.times import NoMoment, read, zone_called
    from grader.course.files import UsageError
    from grader.course.lab import find

    settings = load(Path.cwd())
    everybody = roster.read(settings.roster)
    wish = Wish(find(which) if which else None, attempt, platform)
    try:
        implied = zone_called(zone) if zone else None
    except NoMoment as error:
        raise UsageError(f"--zone: {error}.".replace("?.", "?")) from None
    rows = read(Path(times), settings.zone.key, implied) if times else []
    with writing(settings.handed_in), Record(settings.record) as record:
        taker = Taker(settings, everybody, record, rows, wish)
        if not sources:
            return _choose(taker, wish, learner)
        if learner:
            raise UsageError("--learner goes with --attempt and --lab, without a SOURCE.")
        _warn_of_settings(settings, everybody)
        outcomes = list(_taken(taker, sources))
        labs = {one.lab for outcome in outcomes for one in outcome.taken}
        labs |= {wish.lab.number} if wish.lab else set()
        _say_missing(settings, everybody, taker, labs)
    whole = len(outcomes) == len(sources) and not any(one.refused for one in outcomes)
    return MET if whole else UNMET


def _taken(taker: Taker, sources: Sequence[str]) -> Iterable[Outcome]:
    """Take one source after the other; one that cannot be read costs the others nothing."""
    from grader.course.files import UsageError

    for name in sources:
        try:
            with Status() as status:
                outcome = taker.take(Path(name), status)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "What was taken so far is kept; take the same again to go on."
            ) from None
        except UsageError as error:
            if len(sources) == 1:
                raise
            warn(str(error))
            continue
        _say_outcome(name, outcome)
        yield outcome


def _say_outcome(name: str, outcome: Outcome) -> None:
    """What was taken, by lab; then what was odd, refused and left."""
    kind = {"moodle": "Moodle", "canvas": "Canvas", "gradescope": "Gradescope"}
    _tell(f"{name} ({kind.get(outcome.platform, outcome.platform)})")
    for lab in sorted({one.lab for one in outcome.taken}):
        ours = [one for one in outcome.taken if one.lab == lab]
        new = [one.learner for one in ours if one.new]
        whose = f" ({', '.join(new)})" if 0 < len(new) <= FEW else ""
        same = f", {len(ours) - len(new)} as before" if len(ours) > len(new) else ""
        _tell(f"  lab {lab}: {counted(len(new), 'hand-in')} taken{whose}{same}")
    for one in outcome.taken:
        again = one.new and one.attempt > 1
        told = [*([f"attempt {one.attempt}"] if again else []), *one.odd]
        if told:
            _tell(f"  {one.learner}, lab {one.lab}: {'; '.join(told)}")
    for refusal in outcome.refused:
        who = f"{refusal.learner}: " if refusal.learner else ""
        _tell(f"  refused: {who}{refusal.sentence}")
    for left in outcome.left:
        _tell(f"  left: {left}, which is nobody's hand-in")


def _say_missing(
    settings: Settings, everybody: dict[str, Learner], taker: Taker, labs: set[int]
) -> None:
    from grader.classroom.taking import missing
    from grader.course.files import shown

    if not everybody:
        say(f"There is no {shown(settings.roster)}, so nobody can be told missing.")
        return
    for lab, keys in missing(settings, everybody, taker.record, labs).items():
        if keys:
            say(f"Lab {lab} is missing from {counted(len(keys), 'learner')}: {', '.join(keys)}")
        else:
            say(f"Lab {lab} is there from all {len(everybody)}.")


def _warn_of_settings(settings: Settings, everybody: dict[str, Learner]) -> None:
    """Name extensions for learners or sections that the roster does not know: they help nobody."""
    sections = {one.section for one in everybody.values()}
    for one in settings.extensions if everybody else ():
        if one.learner and one.learner not in everybody:
            warn(f"class.toml gives {one.learner} more time, who is not in the roster.")
        if one.section and one.section not in sections:
            warn(f"class.toml gives section {one.section} more time, which nobody is in.")


def _choose(taker: Taker, wish: object, learner: str | None) -> int:
    from grader.classroom.taking import Wish
    from grader.course.files import UsageError

    assert isinstance(wish, Wish)
    if not (wish.attempt and wish.lab and learner):
        raise UsageError("Give a SOURCE to take, or --learner, --lab and --attempt to choose one.")
    with taker.shelf.alone():
        if not taker.shelf.choose(learner, wish.lab, wish.attempt):
            raise UsageError(
                f"There is no attempt {wish.attempt} of {learner} at lab {wish.lab.number}."
            )
    say(f"{learner}, lab {wish.lab.number}: attempt {wish.attempt} counts")
    return MET


@click.command()
@click.argument("learner", metavar="LEARNER")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(learner: str, yes: bool) -> int:
    """Remove everything that is kept about a learner.

    Hand-ins and all attempts, every row of the record (overwritten, its log included), and the
    reports and pairs that name them. It says what lies elsewhere. There is no way back.

    \b
    labs class forget ada --yes
    """
    from grader.classroom import forgetting, roster
    from grader.classroom.grading import alone
    from grader.classroom.record import Record
    from grader.classroom.settings import load
    from grader.course.files import UsageError

    settings = load(Path.cwd())
    # A grade under way would come back after its learner is forgotten.
    with (
        alone(settings.root, lambda: warn("labs class grade is under way; this waits for it.")),
        writing(settings.handed_in),
        Record(settings.record) as record,
    ):
        who = forgetting.find(settings, roster.read(settings.roster), record, learner)
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("There is no way back, and nobody to ask here; add --yes.")
            if not click.confirm(f"Remove all that is kept about {who.key}, for good?"):
                say("Nothing was removed.")
                return UNMET
        told = forgetting.forget(settings, record, who)
    _tell(f"{who.key} is forgotten:")
    for sentence in told.removed:
        _tell(f"  {sentence}")
    say("Not removed, because it lies elsewhere:")
    for sentence in told.elsewhere:
        _tell(f"  {sentence}")
    return MET
