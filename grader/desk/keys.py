"""Keys of a terminal as they are pressed, on POSIX and on Windows."""

from __future__ import annotations

import os
import re
import sys
from typing import Any


class Keys:
    """Keys as they are pressed, where stdin is a terminal; none elsewhere."""

    def __init__(self) -> None:
        self.there = bool(sys.stdin and sys.stdin.isatty())

    def pressed(self) -> str:
        """A key that waits to be read, in lower case; "" when there is none."""
        return ""

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was."""


if sys.platform == "win32":
    import msvcrt

    class TerminalKeys(Keys):
        """Keys of a Windows console."""

        def pressed(self) -> str:
            """See Keys."""
            if not self.there or not msvcrt.kbhit():
                return ""
            key = msvcrt.getwch()
            if key in "\x00\xe0":  # the first half of a function key
                msvcrt.getwch()
                return ""
            return key.lower()
else:
    import select
    import termios
    import tty

    # An arrow or a function key sends several bytes that begin with an escape.
    _ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O.)?")

    class TerminalKeys(Keys):
        """Keys of a POSIX terminal, read without waiting for a line."""

        def __init__(self) -> None:
            super().__init__()
            self._before: list[Any] | None = None
            self._read = b""

        def __enter__(self) -> TerminalKeys:
            if self.there:
                self._before = termios.tcgetattr(sys.stdin)
            return self

        def __exit__(self, *error: object) -> None:
            if self._before is not None and self._foreground():
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

        def pressed(self) -> str:
            """See Keys."""
            if self._read:
                key, self._read = self._read[:1], self._read[1:]
                return key.decode("ascii", "ignore").lower()
            if not self.there or not self._foreground():
                return ""
            try:
                # Again after Ctrl-Z and fg, when the shell has set the terminal back.
                if termios.tcgetattr(sys.stdin)[3] & termios.ICANON:
                    tty.setcbreak(sys.stdin, termios.TCSANOW)
                if not select.select([sys.stdin], [], [], 0)[0]:
                    return ""
                data = os.read(sys.stdin.fileno(), 64)
            except (OSError, termios.error):
                data = b""
            if not data:  # the terminal is gone
                self.there = False
                return ""
            self._read = _ESCAPES.sub(b"", data)
            return self.pressed() if self._read else ""

        @staticmethod
        def _foreground() -> bool:
            """False in the background, where touching the terminal would stop us."""
            try:
                return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
            except OSError:
                return False
