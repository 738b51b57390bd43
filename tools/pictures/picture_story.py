"""The story of each module's worked example: what happens as it fails, and once it is mended."""

from __future__ import annotations

from picture_draw import WIDTH, Picture

# A box's words: the first one is bold.
Step = list[str]

# By module: what the picture is called, the steps as it fails, the steps once it is mended.
_STORIES: dict[str, tuple[str, list[Step], list[Step]]] = {
    "01-stream-setup": (
        "A record that says too little",
        [["An order", "was 12.50,", "becomes 9.90"], ["Its record", "old: nothing", "new: 9.90"],
         ["The total", "goes down", "by how much?"]],
        [["An order", "was 12.50,", "becomes 9.90"], ["Its record", "old: 12.50", "new: 9.90"],
         ["The total", "goes down", "by 2.60"]],
    ),
    "02-lambda-triggers": (
        "A report that nobody reads",
        [["The handler", "reports", "a bad record"], ["The mapping", "reads no", "reports"],
         ["The record", "counts as done,", "and is gone"]],
        [["The handler", "reports", "a bad record"], ["The mapping", "takes it for", "failed"],
         ["The record", "is tried again,", "then noted"]],
    ),
    "03-monitoring": (
        "An alarm that is red from the first order on",
        [["First order", "handed over", "at 200 ms"], ["The alarm", "above 30 ms:", "red for ever"],
         ["3 hours late", "nothing rings", "any more"]],
        [["First order", "handed over", "at 200 ms"], ["The alarm", "above 3 min:", "quiet"],
         ["3 minutes late", "it turns red,", "a person hears"]],
    ),
    "04-debugging": (
        "A large order that is small as text",
        [["An order", "amount", '"100000"'], ["As text", '"100000" is', 'below "50000"'],
         ["The review", "never hears", "of it"]],
        [["An order", "amount", '"100000"'], ["As a number", "100000 is", "above 50000"],
         ["The review", "gets", "the order"]],
    ),
    "05-cost": (
        "One write for each order, or for each merchant",
        [["A batch", "100 orders of", "4 merchants"], ["The handler", "counts them", "one by one"],
         ["One item", "is written", "25 times"]],
        [["A batch", "100 orders of", "4 merchants"], ["The handler", "adds up by", "merchant"],
         ["One item", "is written", "once"]],
    ),
    "06-production-checklist": (
        "A replay in the evening",
        [["09:40", "counted; marker", "for an hour"], ["20:00", "replayed, and", "no marker left"],
         ["The order", "is counted", "twice"]],
        [["09:40", "counted; marker", "for 14 days"], ["20:00", "replayed; the", "marker is there"],
         ["The order", "is counted", "once"]],
    ),
}  # fmt: skip
STORIES = {f"story-{module}": module for module in _STORIES}


def story(name: str) -> str:
    """Two rows of three boxes: as it fails, and mended."""
    title, fails, mended = _STORIES[STORIES[name]]
    picture = Picture(title, f"As it fails: {_told(fails)}. Once it is mended: {_told(mended)}.")
    width, gap, left = 104, 10, 14
    for row, (caption, steps, kind) in enumerate(
        (("As it fails", fails, "bad"), ("Mended", mended, "good"))
    ):
        top = 14 + row * 92
        picture.text(left, top + 8, caption, f"small strong {kind}")
        for at, words in enumerate(steps):
            x = left + at * (width + gap)
            last = at == len(steps) - 1
            picture.node(x, top + 16, width, words, f"box{kind}" if last else "box")
            if not last:
                picture.arrow((x + width, top + 43), (x + width + gap, top + 43))
    assert left + 3 * width + 2 * gap <= WIDTH
    return picture.svg(14 + 92 + 16 + 54 + 14)


def _told(steps: list[Step]) -> str:
    return "; ".join(f"{head}: {' '.join(rest)}" for head, *rest in steps)
