"""The labs: playing them, judging them, and what a learner keeps of it."""
