"""``python -m grader`` is the ``labs`` command, for machines where scripts are not on the PATH."""

from grader.desk.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
