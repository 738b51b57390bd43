"""A class: hand-ins taken, graded on every core or a cluster, reported, compared, handed back.

What enters is files that learners handed in and a class's settings; what leaves is one SQLite file
and folders of reports. Nothing here decides a mark: ``course.judge`` does, in processes of its own.
A small map, from the bottom up::

    settings   class.toml: labs, deadlines, extensions, late policy, seeds, places
    roster     who is in the class
    record     the SQLite file: hand-ins, grades, published marks, adjustments
    version    the version of the course: what decides a mark, in one word
    archives   hostile archives, read within bounds
    taking     what a platform hands out, turned into handed-in/LEARNER/NN-slug/
    room       a warm child that forks grades; never in a Dask process
    cluster    workers of this machine or of a Dask scheduler
    grading    what has changed is graded, and written down
    marks      which grade counts, what was late, what was adjusted
    report/    gradebooks, feedback pages, the overview
    alike      pairs of hand-ins that share more than they should
    outward/   the formats of other platforms, and bundles that run there
"""
