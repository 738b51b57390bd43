"""streamlabs: graded labs on DynamoDB Streams and AWS Lambda, judged by behaviour.

A map of the package, nearest the learner first. Each row imports only from rows below it
(``tests/test_layers.py`` proves it)::

    cli              the `labs` command: parse, call, exit code
    commands         what each command does
    watch            grade again on every save, from a warm process
    submission       files to be graded and what becomes of their grade
    doctor           what this machine can and cannot do for a grade
    check            the checklist asked of any template: find, read, report
    report           a grade as terminal text, JSON or JUnit XML
    standing         where a learner stands, and what was proved in the end
    course           for maintainers: prove that every lab is in order, scaffold a new one
    site             the course site: generated parts, building, reading and serving it
    judge            grade one folder: always returns a Grade
    checks/          labNN_slug.py: the scenarios and criteria of each lab
    pytest_plugin    the fixture `pipeline`, for a team's own tests
    pipeline         the learner's running system under virtual time
    account/         the resolved template's data plane, in moto
    function/        the function process: Lambda's execution environment
    sam              SAM templates to plain CloudFormation, lines kept
    estimate         what a stack costs in a month at a given traffic
    lint             cfn-lint's findings, from a process of its own
    emulator/        Lambda's event source mapping: stream, batches, retries, destinations
    checklist/       the production checklist: items, evidence, verdicts
    timeline         the emulator's journal as lines to read
    alarms/          CloudWatch alarms over metric series
    incidents        recorded and generated incidents, replayed against alarms
    emf, dashboards  custom metrics out of log lines; dashboard bodies
    tuning/          load and settings to lag, invocations, throttles and monthly cost
    pricing          unit prices and free quotas, and what usage costs
    template/        CloudFormation in, resolved stack out
    permissions      may this role do this to that resource
    lab, progress    a lab and its files; scores, hints and best files of one workspace
    grade            criterion, finding, verdict, grade: plain data and its JSON
    clock, metrics   virtual time; metric data points

``starters/`` holds the pristine labs: a committed mirror of the repository's ``labs/``, inside the
package so that a learner's edits cannot reach it. The solutions are in the repository's
``solutions/``; a wheel carries them as ``grader/_solutions``.
"""

__version__ = "0.1.0"
