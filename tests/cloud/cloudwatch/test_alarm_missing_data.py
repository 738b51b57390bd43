"""AWS's worked tables of missing data, every row and every column."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html

from __future__ import annotations

import pytest

from grader.cloud.cloudwatch import State, judge

SETTINGS = ("missing", "ignore", "breaching", "notBreaching")
KEEP = "KEEP"
NO = "INSUFFICIENT_DATA"

# Points (oldest first; 0 within, X breaching, - missing), then the state for each setting.
THREE_OF_THREE = [
    ("0-X-X", "OK", "OK", "OK", "OK"),
    ("0----", "OK", "OK", "OK", "OK"),
    ("-----", NO, KEEP, "ALARM", "OK"),
    ("0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--X--", "ALARM", KEEP, "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0-X-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("00X0X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0-X--", "OK", "OK", "ALARM", "OK"),
    ("----0", "OK", "OK", "ALARM", "OK"),
    ("---X-", "ALARM", KEEP, "ALARM", "OK"),
]
# The edition of 2019 has these rows too.
# https://github.com/awsdocs/amazon-cloudwatch-user-guide/blob/05fd32f63861ca6646c8aa5c94334fd6e0dfdbf5/doc_source/AlarmThatSendsEmail.md
OLDER_THREE_OF_THREE = [
    ("----X", NO, KEEP, "ALARM", "OK"),
    ("X----", "ALARM", KEEP, "ALARM", "OK"),
]
OLDER_TWO_OF_THREE = [("----X", NO, KEEP, "ALARM", "OK")]


def decide(points: str, m: int, n: int, setting: str, state: State) -> str:
    return judge(
        [{"0": False, "X": True, "-": None}[point] for point in points],
        evaluation_periods=n,
        datapoints_to_alarm=m,
        treat_missing_data=setting,
        state=state,
    )


@pytest.mark.parametrize("state", ["OK", "ALARM", NO])
@pytest.mark.parametrize(
    ("m", "row"),
    [
        *((3, row) for row in THREE_OF_THREE + OLDER_THREE_OF_THREE),
        *((2, row) for row in TWO_OF_THREE + OLDER_TWO_OF_THREE),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else value[0],
)
def test_worked_table(m: int, row: tuple[str, ...], state: State):
    """Each row of AWS's tables, for each setting, from each state before."""
    points, *expected = row
    for setting, wanted in zip(SETTINGS, expected, strict=True):
        assert decide(points, m, 3, setting, state) == (state if wanted == KEEP else wanted), (
            setting
        )


@pytest.mark.parametrize("points", ["----X", "---X-"])
def test_a_young_breach_alone_is_not_an_alarm(points: str):
    """With 3 of 3, one breaching point that is one or two periods old does not alarm yet."""
    assert decide(points, 3, 3, "missing", "OK") != "ALARM"


@pytest.mark.parametrize("points", ["---X0", "--X-0"])
def test_the_better_point_that_follows_prevents_the_alarm(points: str):
    """AWS's example: the next point is not breaching, so waiting avoided a false alarm."""
    assert decide(points, 3, 3, "missing", "OK") == "OK"


def test_after_the_last_good_point_left_the_range_breaching_alarms():
    """`0 - - - -` is OK; one period later the 0 is out of the range and missing = breaching alarms."""
    assert decide("0----", 3, 3, "breaching", "OK") == "OK"
    assert decide("-----", 3, 3, "breaching", "OK") == "ALARM"


def test_only_the_newest_n_points_count_when_none_is_missing():
    """Older points of the range are ignored when enough newer ones exist."""
    assert decide("XX000", 2, 3, "missing", "ALARM") == "OK"


@pytest.mark.parametrize("setting", SETTINGS)
def test_enough_breaching_points_alarm_even_when_others_are_missing(setting: str):
    """M breaching real points are an alarm whatever the third one would be."""
    assert decide("---XX", 2, 3, setting, "OK") == "ALARM"


def test_one_of_one_keeps_the_last_real_point_until_it_leaves_the_range():
    """With N = 1 the last real point is evaluated again while it lies in the range of three."""
    for points in ("--X", "-X-", "X--"):
        assert decide(points, 1, 1, "notBreaching", "OK") == "ALARM"
    assert decide("---", 1, 1, "notBreaching", "ALARM") == "OK"
