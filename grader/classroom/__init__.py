"""A class: hand-ins taken, graded on every core or a cluster, reported, compared, handed back.

What enters is files that learners handed in and a class's settings; what leaves is one SQLite file
and folders of reports. Nothing here decides a mark: ``course.judge`` does, in processes of its own.
A small map, from the bottom up::

    private    files and folders that only their owner can read
    roster     who is in the class
    times      points in time with their zone; when hand-ins came, by a CSV file
    settings   class.toml: labs, deadlines, extensions, late policy, seeds, places
    record     the SQLite file: hand-ins, grades, published marks, adjustments
    version    the version of the course: what decides a mark, in one word
    members    files of strangers by their names, and what a hand-in may cost
    archives   hostile archives, read within bounds
    platforms  what Moodle, Canvas, Gradescope, clones and folders look like
    identity   which learner a platform means
    shelf      handed-in/: every attempt, and the one that counts
    taking     what a platform hands out, turned into handed-in/LEARNER/NN-slug/
    seeds      one seed for all, or one for each learner and lab, from a secret
    parcel     what travels to a worker, and the answer that is believed as far as it fits
    inside     the warm process that forks grades; nothing of Dask is in it
    room       holds such a process at arm's length, and ends it by limits of ours
    work       what a run asks of its workers, whoever they are
    cluster    workers of this machine or of a Dask scheduler
    grading    what has changed is graded, and written down
    forgetting what is kept about a learner, removed for good
    marks      which grade counts, what was late, what was adjusted
    report/    gradebooks, feedback pages, the overview
    alike      pairs of hand-ins that share more than they should
    outward/   the formats of other platforms, and bundles that run there
"""
