"""For maintainers: the contract of a lab, the scaffold, everything that is generated.

What enters is a clone; what leaves are refusals, or files written into it. A small map::

    contract   what a lab must be, and everything that is not so
    mutants    a solution changed a little, to see which criterion notices
    scaffold   a new lab from the files in new_lab/
    pages      everything that is generated, its drift and its renewal
    schemas    the tables of AWS resource types, from the published schemas
    claims     what the pages say of tuning, measured
    worked     the example that each module opens with, from a kept answer
    prose      how much a learner has to read
"""
