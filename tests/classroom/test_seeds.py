"""A seed for all, or one for each learner and lab that nobody can tell without the secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.classroom.seeds import Seeds, seeds
from grader.course.files import UsageError


def test_a_seed_is_everybodys() -> None:
    assert seeds(None, None).of("mia", 1) == 0
    assert {seeds(7, None).of(name, lab) for name in ("mia", "ben") for lab in (1, 2)} == {7}


def test_a_secret_gives_each_learner_and_lab_a_seed_that_stays(tmp_path: Path) -> None:
    """As: printf "1 mia" | openssl dgst -sha256 -hmac 0123456789abcdef, its first 8 digits."""
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef\n")
    drawn = seeds(None, file)
    every = [drawn.of(name, lab) for name in ("mia", "ben", "1 mia") for lab in (1, 2)]
    assert len(set(every)) == 6 and all(0 <= one < 2**32 for one in every)
    assert every == [seeds(None, file).of(n, x) for n in ("mia", "ben", "1 mia") for x in (1, 2)]
    assert drawn.of("mia", 1) == 3996102771
    other = Seeds(secret=b"0123456789abcdeX")
    assert other.of("mia", 1) != drawn.of("mia", 1)


def test_a_name_is_the_same_however_its_accents_are_composed() -> None:
    drawn = Seeds(secret=b"0123456789abcdef")
    assert drawn.of("Zo\u00eb", 1) == drawn.of("Zoe\u0308", 1)


def test_what_is_no_seed_or_no_secret_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with pytest.raises(UsageError, match="cannot be read"):
        seeds(None, file)
    file.write_text("short \n\n")
    with pytest.raises(UsageError, match="has 5 bytes without the space"):
        seeds(None, file)
    file.write_bytes(bytes(20_000))
    with pytest.raises(UsageError, match="it needs 16 to 10,000"):
        seeds(None, file)
    with pytest.raises(UsageError, match="not both"):
        seeds(1, file)
    with pytest.raises(UsageError, match="63 bits"):
        seeds(2**64, None)
