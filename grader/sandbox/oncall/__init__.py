"""On-call drills: a shop that works, something that happens, and somebody who is paged.

drill    a drill as data, and the causes that can be named
drills   the drills
world    what happens that is no AWS call
shift    a drill being played: the account, its customers, what the learner does
judge    what counts, read from what survived
"""
