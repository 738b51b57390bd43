"""The child's side of the function process: everything that runs beside a learner's code.

The files of this folder run in processes of their own, loaded by path, and import nothing of the
grader but each other; the judge imports only ``frames``, which both sides speak.
"""
