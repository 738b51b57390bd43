"""``labs check --fix``: what a template lacks and has one safe answer, as an insertion.

written     the text with its positions, and insertions that follow its style
proposals   which items are answered, with what, and why the others are not
"""

from grader.review.fix.proposals import REPORTS, Note, Proposal, propose

__all__ = ["REPORTS", "Note", "Proposal", "propose"]
