"""What a function's process may not do, enforced by the kernel.

Three tiers, strongest first; each is used where the one before is not permitted:

- ``namespaces`` (Linux): own user, mount, process, network, IPC and host-name namespaces. The file
  system is built from an allow-list (interpreter, libraries, the function's code at ``/var/task``,
  a private ``/tmp``), all of it read-only but ``/tmp``, ``/proc`` included. No network at all.
  Mount, process, network and IPC namespaces are each environment's own: what is made in them ends
  with it and connects it with nobody.
- ``landlock`` (Linux 5.13 and later): reading and writing by allow-list, no TCP (6.7), no signals
  to processes outside (6.12).
- ``limits``: a process group of its own and resource limits.

In each of them a filter of system calls (``seccomp``) closes what is left between environments.

Everything goes through ctypes: Python has ``os.unshare`` only from 3.12 on, and mounts not at all.
"""

# Runs before imports are free: plain os functions, no pathlib.
# ruff: noqa: PTH100, PTH102, PTH103, PTH110, PTH112, PTH114, PTH115, PTH116, PTH118, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
MOUNT_ATTR_RDONLY = 0x1

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
CAPSET = {"x86_64": 126, "aarch64": 91}

# What containers hide of /proc: it tells of the machine, or of what others do on it.
# https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#masked-paths
MASKED_FILES = (
    "kcore", "keys", "key-users", "kmsg", "latency_stats", "timer_list", "sched_debug",
    "sysrq-trigger", "interrupts", "locks", "kallsyms", "slabinfo",
)  # fmt: skip
MASKED_FOLDERS = ("acpi", "asound", "scsi", "bus", "fs", "irq", "sysvipc")

# The function's user inside its namespace: nobody in particular, and not root.
USER = 993

_libc: ctypes.CDLL | None = None


def libc() -> ctypes.CDLL:
    """The C library, with errno kept."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def check(result: int, what: str) -> int:
    """``result``, or OSError when it says that the call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(libc().unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    result = libc().mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    check(result, f"mount {target}")


def unmount(target: str) -> None:
    """umount2(2), lazily."""
    check(libc().umount2(target.encode(), MNT_DETACH), f"umount {target}")


def prctl(option: int, value: int) -> int:
    """prctl(2); its result is up to the caller."""
    return int(libc().prctl(option, ctypes.c_ulong(value), *(ctypes.c_ulong(0),) * 3))


def syscall(number: int, *arguments: object) -> int:
    """syscall(2)."""
    return int(libc().syscall(ctypes.c_long(number), *arguments))


# -- namespaces ----------------------------------------------------------------------------------


def enter_namespaces() -> None:
    """Move to fresh namespaces. The next child is the first process of the new process namespace.

    OSError where the kernel or its policy does not permit this.
    """
    if sys.platform != "linux" or platform.machine() not in PIVOT_ROOT:
        raise OSError("namespaces are not available on this platform")
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{USER} {user} 1")
    _write("/proc/self/gid_map", f"{USER} {group} 1")


def build_root(root: str, work: str, visible: Iterable[str], hidden: Iterable[str]) -> None:
    """Make ``root`` (an empty folder) the root of a file system that shows ``visible`` only.

    ``work`` (where the judge puts copies of functions' code) appears as ``/run/work``, its links to
    packages as ``/var/lang/packages``; folders in
    ``hidden`` that lie inside a visible one appear empty. The caller must be the first process of
    a new process namespace.
    """
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    mount("streamlabs", root, "tmpfs", MS_NOSUID, "size=1m,mode=755")
    for path in _outermost(visible):
        _show(path, root)
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
        if os.path.exists(path):
            _show(path, root)
    for name in ("proc", "tmp", "var/task", "run/work", "etc"):
        os.makedirs(f"{root}/{name}", mode=0o755, exist_ok=True)
    for name in ("localtime", "ssl", "pki", "ca-certificates", "ld.so.cache", "alternatives"):
        if os.path.exists(f"/etc/{name}") and not os.path.lexists(f"{root}/etc/{name}"):
            _show(f"/etc/{name}", root)
    if not os.path.lexists(f"{root}/etc/passwd"):
        _write(f"{root}/etc/passwd", f"sbx_user:x:{USER}:{USER}::/tmp:/sbin/nologin\n", create=True)
        _write(f"{root}/etc/group", f"sbx_user:x:{USER}:\n", create=True)
    mount(work, f"{root}/run/work", "none", MS_BIND | MS_REC)
    if os.path.isdir(f"{work}/packages"):
        os.makedirs(f"{root}/var/lang/packages")
        mount(f"{work}/packages", f"{root}/var/lang/packages", "none", MS_BIND)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir(root)
    check(syscall(PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")
    for path in hidden:
        if os.path.isdir(path):
            mount("hidden", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=555")
    _make_read_only("/")
    libc().sethostname(b"localhost", ctypes.c_size_t(9))


def enter_room(code: str, tmp_bytes: int) -> None:
    """In the first process of an environment: its own view of files, ``/tmp`` and ``/proc``.

    ``code`` is a folder below the judge's work folder, named from there. What ``build_root`` has
    shown below ``/tmp`` (a virtual environment may be there) stays visible.
    """
    unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET)
    mount(f"/run/work/{code}", "/var/task", "none", MS_BIND)
    kept = [(path, os.open(path, os.O_PATH)) for path in (f"/tmp/{n}" for n in os.listdir("/tmp"))]
    mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={tmp_bytes},nr_inodes=4096,mode=700")
    for path, place in kept:
        os.makedirs(path)
        mount(f"/proc/self/fd/{place}", path, "none", MS_BIND | MS_REC)
        os.close(place)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    unmount("/run/work")
    # The function's processes get numbers of their own, and few of them, where that limit is the
    # namespace's and not the machine's (6.14 and later).
    if _kernel() >= (6, 14):
        _try_write("/proc/sys/kernel/pid_max", "400")
    _try_write("/proc/sys/user/max_user_namespaces", "0")
    for name in MASKED_FOLDERS:
        if os.path.isdir(f"/proc/{name}"):
            mount("masked", f"/proc/{name}", "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=555")
    for name in MASKED_FILES:
        if os.path.exists(f"/proc/{name}"):
            mount("/dev/null", f"/proc/{name}", "none", MS_BIND)
    _make_read_only("/proc")


def _kernel() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int(minor) if minor.isdigit() else 0


def _try_write(path: str, text: str) -> None:
    try:
        _write(path, text)
    except OSError:
        return


def drop_privileges() -> None:
    """Give up every capability, for good."""
    if sys.platform != "linux":
        return
    for capability in range(64):
        if prctl(PR_CAPBSET_DROP, capability) < 0:
            break
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    number = CAPSET.get(platform.machine())
    if number is not None:
        version_3 = struct.pack("=II", 0x20080522, 0)
        syscall(number, version_3, bytes(24))


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted({os.path.abspath(path) for path in paths if os.path.lexists(path)}):
        if path != "/" and not any(path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept


def _show(path: str, root: str) -> None:
    """Bind ``path`` at the same place below ``root``; links on the way are rebuilt as links."""
    here = ""
    for name in path.strip("/").split("/"):
        here = f"{here}/{name}"
        there = root + here
        if os.path.islink(here):
            target = os.readlink(here)
            if not os.path.lexists(there):
                os.symlink(target, there)
            real = os.path.normpath(os.path.join(os.path.dirname(here), target))
            rest = path[len(here) :]
            return _show(real + rest, root)
        if here != path and not os.path.lexists(there):
            os.mkdir(there, 0o755)
    there = root + path
    if os.path.isdir(path):
        os.makedirs(there, mode=0o755, exist_ok=True)
    elif not os.path.lexists(there):
        os.close(os.open(there, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(path, there, "none", MS_BIND | MS_REC)
    return None


def _make_read_only(path: str) -> None:
    attributes = struct.pack("=QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    check(
        syscall(
            MOUNT_SETATTR,
            ctypes.c_int(AT_FDCWD),
            path.encode(),
            ctypes.c_uint(AT_RECURSIVE),
            attributes,
            ctypes.c_size_t(len(attributes)),
        ),
        "mount_setattr",
    )


def _write(path: str, text: str, *, create: bool = False) -> None:
    flags = os.O_WRONLY | (os.O_CREAT if create else 0)
    file = os.open(path, flags, 0o644)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


# -- Landlock ------------------------------------------------------------------------------------

# Rights by the version of the interface in which they appeared.
# https://docs.kernel.org/userspace-api/landlock.html
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = 0b11
_SCOPED = 0b11


def landlock_version() -> int:
    """Version of the kernel's Landlock, 0 when there is none."""
    if sys.platform != "linux":
        return 0
    version = syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(0, version)


def enter_landlock(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Deny this process every file but these, TCP, and (where it can) signals to others.

    OSError when the kernel has no Landlock.
    """
    version = landlock_version()
    if not version:
        raise OSError("Landlock is not available")
    every = _ALL_BY_ABI[max(abi for abi in _ALL_BY_ABI if abi <= version)]
    attributes = struct.pack("=Q", every)
    if version >= 4:
        attributes += struct.pack("=Q", _TCP)
    if version >= 6:
        attributes += struct.pack("=Q", _SCOPED)
    rules = check(
        syscall(
            LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)
        ),
        "landlock_create_ruleset",
    )
    try:
        for path, rights in [(p, _READ) for p in readable] + [(p, every) for p in writable]:
            _allow(rules, path, rights & every)
        _allow(rules, "/dev/null", (_READ_FILE | _WRITE_FILE) & every)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        check(syscall(LANDLOCK_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint(0)), "landlock")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        beneath = struct.pack("=Qi", rights, place)
        check(
            syscall(
                LANDLOCK_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(1), beneath, ctypes.c_uint(0)
            ),
            "landlock_add_rule",
        )
    finally:
        os.close(place)


# -- limits --------------------------------------------------------------------------------------


def limit_resources(limits: dict[str, int], tasks: int) -> None:
    """Resource limits of this process and its children (where the platform has them).

    ``data_bytes`` counts from what the process uses now, ``processes`` from the ``tasks`` that its
    user runs already.
    """
    try:
        import resource
    except ImportError:
        return

    def lower(name: str, value: int) -> None:
        which = getattr(resource, name, None)
        if which is None:
            return
        _, hard = resource.getrlimit(which)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        try:
            resource.setrlimit(which, (value, value))
        except (OSError, ValueError):
            return

    lower("RLIMIT_CORE", 0)
    lower("RLIMIT_FSIZE", limits["file_bytes"])
    lower("RLIMIT_NOFILE", limits["files"])
    lower("RLIMIT_CPU", limits["cpu_seconds"])
    lower("RLIMIT_MEMLOCK", 1 << 20)
    lower("RLIMIT_MSGQUEUE", 0)
    lower("RLIMIT_NPROC", limits["processes"] + tasks)
    lower("RLIMIT_DATA", limits["data_bytes"] + _data_bytes())


def _data_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 512 << 20


def tasks_of_user() -> int:
    """Threads that this user runs in this process namespace: the kernel counts those."""
    if not hasattr(os, "getuid"):
        return 0
    count, user = 0, os.getuid()
    try:
        for name in os.listdir("/proc"):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
    except OSError:
        return max(count, 1000)
    return count


def subreaper() -> None:
    """Orphans of this process's descendants become its own children (Linux)."""
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """End with the parent process (Linux)."""
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def undumpable() -> None:
    """Nobody of the same user may read this process's memory or descriptors (Linux)."""
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 0)


def dumpable() -> None:
    """Undo ``undumpable``: the function's process may look at itself under /proc."""
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 1)
