"""The emulated AWS: accounts, tables, functions, mappings, metrics and alarms on virtual time.

It knows nothing of labs, criteria, findings or the terminal, and could be a package of its own.
"""
