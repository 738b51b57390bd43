"""streamlabs: graded labs on DynamoDB Streams and AWS Lambda, judged by behaviour.

A map of the package, nearest the learner first. Each row imports only from rows below it
(``tests/maintain/test_layers.py`` proves it)::

    desk/      the command line: commands, reports, watch, doctor, reading the site
    maintain/  for who makes labs: their contract, the scaffold, everything that is generated
    sandbox/   the account on loopback, for clients of AWS; in oncall/ drills
    classroom/ a class: taken, graded on every core or a cluster, reported; other platforms
    course/    the labs: criteria and scenarios, play/, judge, grade, progress
    replay/    a run, looked at again: as data, as a page; incidents, and the drawing of charts
    review/    any template: checklist/, tuning/, pricing, estimate, lint
    cloud/     the emulated AWS: pipeline, account/, function/, mapping/, template/, cloudwatch/,
               dynamodb/, iam/, messaging/, clock, metrics

``course/starters/`` holds the pristine labs: a committed mirror of the repository's ``labs/``,
inside the package so that a learner's edits cannot reach it. The solutions are in the repository's
``solutions/``; a wheel carries them as ``grader/course/_solutions``.
"""

__version__ = "0.1.0"
