"""The quizzes: their form, what they ask, and that nobody passes them without knowing anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import combinations
from math import comb, factorial

import pytest
from quiz_source import KINDS, MODULES, Question, numbers, questions

# --- form -------------------------------------------------------------------------------------


def test_each_module_asks_six_to_eight_questions_of_mixed_kinds() -> None:
    for page in MODULES:
        kinds = [one.kind for one in questions() if one.module == page.name[:2]]
        assert 6 <= len(kinds) <= 8, page.name
        assert {"one", "all", "line", "number"} <= set(kinds) <= set(KINDS), page.name


@pytest.mark.parametrize("one", questions(), ids=lambda one: one.id)
def test_a_question_is_whole(one: Question) -> None:
    """Right answers exist, and each wrong way has an entry that names the misconception."""
    assert re.fullmatch(rf"quiz-{one.module}-[a-z0-9-]+", one.id)
    assert re.search(r"\]\((\d\d-[a-z-]+\.md)?#[a-z0-9-]+\)", one.why), (
        "links to the place that says so"
    )
    entered = [re.findall(r"\b(?:[A-Z]|\d+)\b", key) for key, _ in one.misses]
    flat = [name for names in entered for name in names]
    if one.kind == "number":
        right = [float(n) for n in one.answer]
        assert len(one.misses) >= 3 and right not in [numbers(key) for key, _ in one.misses]
    elif one.kind == "order":
        assert sorted(one.answer) == one.names != list(one.answer)
        for first, second in entered:
            assert one.answer.index(first) > one.answer.index(second), "this is no mistake"
        assert len(one.misses) >= 3
    else:
        assert set(one.answer) < set(one.names) and len(one.options) >= 4
        assert sorted(flat) == sorted(set(one.names) - set(one.answer)), (
            "one entry for each wrong option"
        )
        assert (len(one.answer) == 1) == (one.kind != "all")
    assert all(len(text.split()) >= 3 for _, text in one.misses)


def test_ids_are_given_once() -> None:
    ids = [one.id for one in questions()]
    assert len(ids) == len(set(ids))


# --- what a script without knowledge gets -----------------------------------------------------

ABSOLUTE = (
    r"\b(?:all|always|any|each|every|ever|never|no|none|not|nothing|nobody|only|must|at once)\b"
)
HEDGED = (
    r"\b(?:about|almost|at least|can|could|generally|if|likely|may|might|most|mostly|often|perhaps"
    r"|rather|seem|some|sometimes|so that|tends?|typically|unless|until|up to|usually|when)\b"
)
NEGATED = r"\b(?:no|nobody|not|nothing|never|without)\b"


def _count(pattern: str) -> Callable[[str, Question], float]:
    return lambda text, _one: len(re.findall(pattern, text, re.I))


def _shared(text: str, one: Question) -> float:
    words = {word[:5] for word in re.findall(r"[a-z]{4,}", one.asked.lower())}
    return len(words & {word[:5] for word in re.findall(r"[a-z]{4,}", text.lower())})


def _shared_with_others(text: str, one: Question) -> float:
    """The option that is most like the others: wrong ones are often made from the right one."""
    words = set(re.findall(r"[a-z]{4,}", text.lower()))
    return sum(len(words & set(re.findall(r"[a-z]{4,}", other.lower()))) for other in one.options)


TELLS: dict[str, Callable[[str, Question], float]] = {
    "length": lambda text, _one: len(text),
    "words": lambda text, _one: len(text.split()),
    "absolutes": _count(ABSOLUTE),
    "hedges": _count(HEDGED),
    "negations": _count(NEGATED),
    "shared": _shared,
    "alike": _shared_with_others,
    "commas": _count(","),
    "code": _count("`"),
    "figures": _count(r"\d"),
}


def _told(tell: Callable[[str, Question], float], sign: int, one: Question, n: int) -> float:
    return sign * tell(one.options[n], one)


def _chance(one: Question) -> float:
    """What guessing is worth; for "all" the script is even told how many apply."""
    if one.kind == "number":
        return 0.0
    many, right = len(one.options), len(one.answer)
    return 1 / (factorial(many) if one.kind == "order" else comb(many, right))


def _hit(one: Question, score: Callable[[int], float]) -> float:
    """The chance of being right with the options that score highest, ties drawn by lot."""
    many, right = len(one.options), len(one.answer)
    wanted = {one.names.index(name) for name in one.answer}
    sets = list(combinations(range(many), right))
    best = max(sum(map(score, chosen)) for chosen in sets)
    top = [set(chosen) for chosen in sets if abs(sum(map(score, chosen)) - best) < 1e-9]
    return top.count(wanted) / len(top)


def _guess(one: Question, score: Callable[[str, int], float]) -> float:
    if one.kind == "number":
        # It types the number of the question that stands out most: for no score it is the answer.
        seen = numbers(one.asked + " " + one.about)
        return float(len(one.answer) == 1 and max(seen, default=-1.0) == float(one.answer[0]))
    if one.kind == "order":
        ranks = sorted(
            one.names, key=lambda name: score(one.options[one.names.index(name)], ord(name) - 65)
        )
        return float(tuple(ranks) == one.answer)
    return _hit(one, lambda n: score(one.options[n], n))


def _scores() -> dict[str, float]:
    asked = questions()
    ways: dict[str, Callable[[Question], float]] = {}
    for name, tell in TELLS.items():
        for sign in (1, -1):
            ways[f"{'most' if sign > 0 else 'least'} {name}"] = lambda one, tell=tell, sign=sign: (
                _guess(one, lambda text, _n: sign * tell(text, one))
            )
    for place in range(5):
        ways[f"position {place + 1}"] = lambda one, place=place: _guess(
            one, lambda _text, n: -abs(n - place)
        )
    ways["last"] = lambda one: _guess(one, lambda _text, n: n)
    ways["middle"] = lambda one: _guess(one, lambda _text, n: -abs(n - (len(one.options) - 1) / 2))
    return {name: sum(map(way, asked)) / len(asked) for name, way in ways.items()}


def test_a_script_without_knowledge_stays_near_chance() -> None:
    """No tell is worth more than ten points over the course, nor over its why-questions alone."""
    chance = sum(map(_chance, questions())) / len(questions())
    over = {
        name: round(score - chance, 3) for name, score in _scores().items() if score > chance + 0.1
    }
    assert over == {}


def test_no_tell_finds_the_right_one_of_four() -> None:
    """The same among the why-questions alone, where a tell is worth most."""
    why = [one for one in questions() if one.kind == "one"]
    for name, tell in TELLS.items():
        for sign in (1, -1):
            hits = [_hit(one, partial(_told, tell, sign, one)) for one in why]
            assert sum(hits) / len(why) <= 0.25 + 0.1, f"{sign} {name}"
    for place in range(4):
        assert sum(one.answer[0] == chr(65 + place) for one in why) / len(why) <= 0.25 + 0.1
