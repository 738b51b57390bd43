"""The labs: playing them, judging them, and what a learner keeps of it.

What enters are a learner's files and a seed; what leaves is a `grade.Grade`, or the lines of a
timeline. A small map, from the bottom up::

    files      files of a lab, read and written; grade: verdicts and findings, plain data
    lab        a lab: its texts and which files are edited; workspace: where a learner works
    play/      deploys, writes, troubles, pages: what happened, and no finding
    stage      what a check works with: the player, and what stopped it as a finding
    criterion  how criteria are written; places: the line that a finding shows
    labs/      lab01 ... : criteria, scenarios, and what only that lab needs
    judge      grades one folder; progress: what is kept; answers: the kept right and wrong ones
    warm       a process that grades one set of files after the other
"""
