"""A folder for each lab: its criteria, its scenarios, and what only this lab needs."""
