"""Make starting a function process an error, in this process and in those that it starts.

Put on the path by ``conftest.py`` in a run of what is not ``played``: a test that forgot its mark
fails there instead of making the quick run slow.
"""

import sys

CHILD = "grader/cloud/function/child/"


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen" and CHILD in str(arguments[1]).replace("\\", "/"):
        raise RuntimeError("a test that plays functions needs the mark `played`")


sys.addaudithook(_refuse)
