"""What AWS leaves open about alarms, decided in one place.

Everything below is a choice of this emulator, not a promise of AWS. Where AWS gives an example, the
choice agrees with it; the comment says which. The choices about custom metrics and dashboards stand
at the head of grader/cloud/cloudwatch/emf.py and grader/cloud/cloudwatch/dashboards.py.
"""

from __future__ import annotations

# AWS fetches "a higher number of data points than the number specified as Evaluation Periods" and
# does not say how many. Its worked tables have 5 for an alarm of 3 periods: two more.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
EXTRA_DATA_POINTS = 2

# Alarms are evaluated on the full minute (or the full ten seconds), on data that arrived before it.
# AWS evaluates each alarm at some second of its own; recorded alarms of one-minute metrics changed
# state 5 to 46 seconds after the minute that made them.
EVALUATION_DELAY_MS = 0

# An alarm over more than a day is evaluated once an hour on data up to the full hour; AWS's example
# evaluates at 11:03.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
MULTI_DAY_DELAY_MS = 3 * 60_000

# One or more breaching points, no other point, too few and too young for an alarm: AWS says only
# that the alarm "does not go immediately into ALARM". Its edition of 2019 had INSUFFICIENT_DATA in
# this row when missing data is treated as missing.
TOO_YOUNG_TO_ALARM = "INSUFFICIENT_DATA"

# A percentile is the smallest value that at least p percent of the samples do not exceed (nearest
# rank). CloudWatch interpolates in a histogram whose bins it does not publish. A value above p100
# that CloudWatch accepts (p100.5) counts as p100.
HIGHEST_PERCENTILE = 100.0

# Trimming by percentages keeps the samples with rank from floor(low * n) + 1 to ceil(high * n), so
# that p99 is the highest of the samples that tm99 averages, as AWS says it is.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html

# Low samples. "Fewer than 10/(1-percentile) data points during the evaluation period": counted for
# each data point of its own. One evaluated data point with too few samples keeps the alarm's state.

# Units. Without one an alarm reads every unit that was published; AWS calls the result undefined
# when there are several. Here their samples are put together.

# Arrival. A datum counts in its period from the evaluation on that follows its arrival; one that
# arrives when its period lies behind the evaluation range is never looked at. AWS services store a
# minute's metrics under its beginning when it is over: at a period of 10, 20 or 30 seconds they are
# found by an alarm whose range is longer than a minute only. Other metrics keep the time at which
# they were recorded; who records a custom metric of standard resolution rounds its time down to the
# minute (grader.cloud.cloudwatch.emf.Point.stored_ms).
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/publishingMetrics.html

# Metric math. Precedence, loosest first: OR, AND, comparisons, + -, * /, unary minus, ^. All but ^
# bind to the left. A data point whose value is not a finite number is dropped, as AWS says of a
# division by zero. STDDEV is that of the population. AVG over an array counts a missing value as 0
# (documented); over one series it averages the data points that exist. SUM, MIN and MAX over an
# array skip what is missing. FILL also fills a metric that never reported. The functions that look
# at neighbours (RATE, DIFF, FILL REPEAT...) see the data points of the evaluation range only.
DEEPEST_NESTING = 40

# Composite alarms: NOT binds tightest, then AND, then OR. TRUE and FALSE may be written in any
# case, because AWS's guide writes "False". A composite alarm is evaluated first at the first full
# minute after its creation, then whenever a child changes state, at the same moment.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html

# The code of a refusal that AWS would not make: a feature that this emulator does not have.
NOT_EMULATED = "NotEmulated"
