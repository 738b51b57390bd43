"""A template's regular expressions decide as Python's do, in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.template import patterns

_ATOMS = st.sampled_from(("a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", "^", "$", "ab"))
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.builds("({})".format, inner)
        | st.builds("{}{}".format, inner, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds(
            "(?:{}){}".format, inner, st.sampled_from(("*", "+", "?", "{1,2}", "{0}", "*?"))
        )
        | st.builds("(?={}){}".format, inner, inner)
        | st.builds("(?!{}){}".format, inner, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_PATTERNS, st.text("ab1 ", max_size=6))
def test_it_matches_what_backtracking_matches(pattern: str, text: str) -> None:
    assert patterns.matches(pattern, text) == (re.fullmatch(pattern, text, re.ASCII) is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        "a{0,99}" * 25,
        "(a+)+b",
        "(a|a)" * 25 + "(a|aa)+$",
        "a?" * 40 + "a" * 40 + "b",
        "(.*a){12}b",
        "(?=(a*)*b)a*",
        "((a{1,99}){1,99}){1,99}b",
        "(){65535}(){65535}(){65535}",
        "(" * 90 + ")" * 90,
    ],
)
def test_no_expression_takes_long(pattern: str) -> None:
    began = time.process_time()
    patterns.matches(pattern, "a" * 4_000 + "c")
    assert time.process_time() - began < 3


def test_what_is_not_decided_says_so() -> None:
    assert patterns.matches(r"(a)\1", "aa") is None
    assert patterns.matches("(?i)a", "A") is None
    with pytest.raises(re.error):
        patterns.matches("[", "a")
