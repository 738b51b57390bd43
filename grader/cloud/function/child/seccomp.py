"""Which system calls a function's process may not make: a filter that the kernel runs (Linux).

It closes what neither files nor namespaces close: kernel objects that processes share by number or
name (keyrings, watches, leases, and where there is no namespace for them System V objects and
sockets), and ways to look into another process. A filter stays for good and needs no privilege.
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Any

PR_SET_SECCOMP = 22
MODE_FILTER = 2

# The numbers of x86_64 and aarch64; None where the machine does not have the call.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "perf_event_open": (298, 241),
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "unshare": (272, 97), "setns": (308, 268),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "socket": (41, 198),
    "flock": (73, 32), "fcntl": (72, 25),
}  # fmt: skip
_ALWAYS = (
    "add_key", "request_key", "keyctl", "inotify_init", "inotify_init1", "fanotify_init", "ptrace",
    "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "perf_event_open", "bpf",
    "userfaultfd", "io_uring_setup", "unshare", "setns",
)  # fmt: skip
# Closed only where no namespace makes them the environment's own.
_SHARED = (
    "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop",
    "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "socket",
)  # fmt: skip
# F_GETLK, F_OFD_GETLK, F_SETLEASE, F_GETLEASE, F_NOTIFY: they tell of other processes' locks.
_FCNTL = (5, 36, 1024, 1025, 1026)

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_AT, _MACHINE_AT, _SECOND_ARGUMENT_AT = 0, 4, 24


def permitted(sandbox: Any) -> bool:
    """Whether the filter can be installed here: tried in a child."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    child = os.fork()
    if not child:
        try:
            sandbox.drop_privileges()
            close_calls(sandbox.libc(), shared=True)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def close_calls(libc: ctypes.CDLL, *, shared: bool) -> None:
    """Install the filter; ``shared`` closes System V objects and sockets, too.

    The machine must be one of those above, and the process must have given up gaining privileges.
    OSError where the kernel has no filters.

    A lock by flock(2) on a file that every environment sees would connect them, so flock says yes
    and locks nothing: an environment has its /tmp for itself. A documented simplification: two
    threads that lock the same file by it do not keep each other out.
    """
    column, machine = _MACHINES[platform.machine()]

    def instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", code, yes, no, value)

    def refuse(number: int | None, error: int) -> bytes:
        if number is None:
            return b""
        return instruction(_EQUAL, number, 0, 1) + instruction(_RETURN, _ERRNO | error)

    def number(name: str) -> int | None:
        return _NUMBERS[name][column]

    program = instruction(_LOAD, _MACHINE_AT) + instruction(_EQUAL, machine, 1, 0)
    program += instruction(_RETURN, _ERRNO | errno.EPERM)
    program += instruction(_LOAD, _NUMBER_AT)
    # The second set of numbers that x86_64 has (x32) would get around the list.
    program += instruction(_AT_LEAST, 0x40000000, 0, 1)
    program += instruction(_RETURN, _ERRNO | errno.EPERM)
    for name in (*_ALWAYS, *(_SHARED if shared else ())):
        program += refuse(number(name), errno.EACCES if name == "socket" else errno.EPERM)
    program += refuse(number("flock"), 0)
    program += instruction(_EQUAL, number("fcntl") or 0, 1, 0)
    program += instruction(_RETURN, _ALLOW)
    program += instruction(_LOAD, _SECOND_ARGUMENT_AT)
    for command in _FCNTL:
        program += refuse(command, errno.EINVAL)
    program += instruction(_RETURN, _ALLOW)
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), head, *(ctypes.c_ulong(0),) * 2):
        raise OSError(ctypes.get_errno(), "seccomp")
