"""The command line: a file for each audience, reports and the terminal."""
