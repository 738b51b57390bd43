"""The command line: a file for each audience, reports and the terminal.

What enters are words and a terminal; what leaves are texts, files and an exit code. Commands are
loaded when they are asked for. A small map, from the bottom up::

    terminal   say, warn, status, widths, exit codes; keys, group: what commands are made of
    report     a grade as text; submission: files found, judged, recorded
    learner    init, list, grade, hint, reset, solution, run; watch: the same on every save
    stack      check and cost: templates of any kind
    machine    doctor and docs
    instructor/ the group ``labs class``
    maintainer the group ``labs dev``
    testing    what a team's own tests ask; stories: what hypothesis draws for them
    cli        names them all; pytest_plugin: the fixtures for a team's own tests
"""
