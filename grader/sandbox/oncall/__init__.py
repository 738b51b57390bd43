"""On-call drills: a shop that works, something that happens, and somebody who is paged.

A drill is data; a shift plays one on an account of its own, by the account's clock and by nothing
else. What the learner does comes in as AWS's operations, over HTTP through the sandbox's server or
in this process, and is judged by what became of the orders. A map, from the top::

    debrief  the page after it: where the minutes went, what was known when, the replay
    duty     a shift behind the sandbox's server, kept on disk and gone on with
    handout  the page, the runbook, the files and the names of a terminal
    judge    what counts, read from what survived
    shift    a drill being played: the account, its customers, what the learner does
    world    what happens that is no AWS call
    book     what a learner has reached
    drills   the drills; drill: one as data, and the causes that can be named

``templates/`` holds the shop as it is deployed and the tool that people on call are given.
"""
