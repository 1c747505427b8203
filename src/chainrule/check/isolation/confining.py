"""What a process gives up before it runs somebody's code: memory, files, the network, other processes.

Linux takes these away for good (resource limits, Landlock, seccomp); a Python audit hook is a second line, and the only
one elsewhere.  :func:`confine` says what it could not enforce.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

__all__ = ["THINGS", "confine"]

THINGS = ("memory", "files", "network", "processes")  # what can be enforced

_PERMISSION, _MISSING = 1, 38  # EPERM, ENOSYS
_NO_NEW_PRIVILEGES, _DIE_WITH_PARENT = 38, 1
_FILTER_SYSCALL = {"x86_64": 317, "aarch64": 277}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# The numbers of system calls: x86_64, aarch64; -1 where there is none.
_PROCESSES = {
    "fork": (57, -1), "vfork": (58, -1), "execve": (59, 221), "execveat": (322, 281), "kill": (62, 129),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "unshare": (272, 97), "setns": (308, 268),
    "setpgid": (109, 154), "setsid": (112, 157), "setpriority": (141, 140), "sched_setaffinity": (203, 122),
    "setrlimit": (160, 164), "kcmp": (312, 272), "add_key": (248, 217), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "memfd_create": (319, 279), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "shmget": (29, 194), "reboot": (169, 142),
    "io_uring_setup": (425, 425), "open_by_handle_at": (304, 265), "seccomp": (317, 277),
}  # fmt: skip
_NETWORK = {"socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201)}
_WRITING = {
    "creat": (85, -1), "truncate": (76, 45), "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276),
    "mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1), "unlink": (87, -1), "unlinkat": (263, 35),
    "link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36), "mknod": (133, -1),
    "mknodat": (259, 33),
}  # fmt: skip
# Landlock has no right for these, so they are always taken away.
_CHANGING = {
    "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1),
    "lchown": (94, -1), "fchown": (93, 55), "fchownat": (260, 54), "utimensat": (280, 88), "utime": (132, -1),
    "utimes": (235, -1), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
}  # fmt: skip
_OPEN, _OPENAT, _OPENAT2 = (2, -1), (257, 56), (437, 437)
_CLONE, _CLONE3 = (56, 220), (435, 435)
_TGKILL, _PRLIMIT = (234, 131), (302, 261)
_THREAD = 0x00010000
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def confine(scratch: str, memory: int, file_size: int = 1 << 24, landlock: bool = True) -> tuple[str, ...]:
    """Give up what somebody's code must not have; what of ``THINGS`` could not be enforced.

    Args:
        scratch: the only folder that may be written in.
        memory: bytes.
        file_size: bytes of a file in that folder.
        landlock: whether to use Landlock, where there is one; else nothing at all may be written.
    """
    missing = set(THINGS)
    if _limit_memory(memory, file_size):
        missing.discard("memory")
    filtered = False
    if sys.platform == "linux":
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(_DIE_WITH_PARENT, 9, 0, 0, 0)
            restricted = landlock and libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and _landlocked(libc, scratch)
            filtered = _filtered(libc, writing=not restricted)
            if filtered:
                missing -= {"files", "network", "processes"}
            elif restricted:
                missing.discard("files")
        except (OSError, AttributeError, ValueError):  # a system that knows none of this
            pass
    sys.addaudithook(_hook(os.path.realpath(scratch)))
    return tuple(n for n in THINGS if n in missing)


def _limit_memory(memory: int, file_size: int) -> bool:
    try:
        resource: Any = import_module("resource")
    except ImportError:
        return False

    def limit(name: str, value: int) -> bool:
        kind = getattr(resource, name, None)
        if kind is None:
            return False
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            return False
        return True

    limit("RLIMIT_CORE", 0)
    limit("RLIMIT_FSIZE", file_size)
    # What is reserved and not used counts for the address space too, so that gets more room.
    limit("RLIMIT_AS", max(4 * memory, memory + (8 << 30)))
    return limit("RLIMIT_DATA", memory)


# ---- Landlock
def _landlocked(libc: Any, scratch: str) -> bool:
    """Forbid writing outside of a folder."""
    version = libc.syscall(444, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << 1) | sum(1 << k for k in range(4, 13))
    rights |= (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0)
    ruleset = libc.syscall(444, ctypes.create_string_buffer(struct.pack("Q", rights), 8), 8, 0)
    if ruleset < 0:
        return False
    folder = os.open(scratch, os.O_PATH | os.O_DIRECTORY)
    try:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, folder), 12)
        added = libc.syscall(445, ruleset, 1, rule, 0) == 0
        null = os.open(os.devnull, os.O_PATH)
        libc.syscall(445, ruleset, 1, ctypes.create_string_buffer(struct.pack("=Qi", 1 << 1, null), 12), 0)
        os.close(null)
        return bool(added and libc.syscall(446, ruleset, 0) == 0)
    finally:
        os.close(folder)
        os.close(ruleset)


# ---- seccomp
def _filtered(libc: Any, writing: bool) -> bool:
    """Refuse system calls, for all threads of this process and for good."""
    machine = platform.machine()
    if machine not in _ARCHITECTURE or sys.maxsize < 2**32 or sys.byteorder != "little":
        return False
    which = 0 if machine == "x86_64" else 1
    refused = {**_PROCESSES, **_NETWORK, **_CHANGING, **(_WRITING if writing else {})}
    program = _Program(_ARCHITECTURE[machine], which)
    for numbers in refused.values():
        program.refuse(numbers, _PERMISSION)
    for numbers in (_CLONE3, *([_OPENAT2] if writing else [])):
        program.refuse(numbers, _MISSING)  # whose arguments cannot be read: the older call is taken then
    program.refuse_unless(_CLONE, 0, _THREAD)
    program.refuse_if(_PRLIMIT, 2, 0xFFFFFFFF)  # limits may be read, and not set
    program.refuse_unless_equal(_TGKILL, 0, os.getpid())
    if writing:
        program.refuse_if(_OPEN, 1, _WRITE_FLAGS)
        program.refuse_if(_OPENAT, 2, _WRITE_FLAGS)
    code = program.finished()
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(libc.syscall(_FILTER_SYSCALL[machine], 1, 1, ctypes.create_string_buffer(head, len(head))) == 0)


class _Program:
    """A filter of system calls, in the instructions of the kernel."""

    _LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
    _ALLOW, _ERROR = 0x7FFF0000, 0x00050000

    def __init__(self, architecture: int, which: int) -> None:
        self.which = which
        self.code: list[tuple[int, int, int, int]] = []
        self._add(self._LOAD, 0, 0, 4)
        self._add(self._EQUAL, 1, 0, architecture)
        self._add(self._RETURN, 0, 0, self._ERROR | _PERMISSION)
        self._add(self._LOAD, 0, 0, 0)
        self._add(self._AT_LEAST, 0, 1, 0x40000000)  # the calls of another convention on the same machine
        self._add(self._RETURN, 0, 0, self._ERROR | _PERMISSION)

    def _add(self, code: int, yes: int, no: int, value: int) -> None:
        self.code.append((code, yes, no, value))

    def refuse(self, numbers: Sequence[int], error: int) -> None:
        """A call fails with this error."""
        if numbers[self.which] >= 0:
            self._add(self._EQUAL, 0, 1, numbers[self.which])
            self._add(self._RETURN, 0, 0, self._ERROR | error)

    def _tested(self, numbers: Sequence[int], argument: int, test: int, value: int, refused_if: bool) -> None:
        if numbers[self.which] < 0:
            return
        self._add(self._EQUAL, 0, 5, numbers[self.which])
        self._add(self._LOAD, 0, 0, 16 + 8 * argument)
        self._add(test, 0 if refused_if else 1, 1 if refused_if else 0, value)
        self._add(self._RETURN, 0, 0, self._ERROR | _PERMISSION)
        self._add(self._RETURN, 0, 0, self._ALLOW)
        self._add(self._LOAD, 0, 0, 0)  # not reached: keeps the distance of the first jump in one place

    def refuse_if(self, numbers: Sequence[int], argument: int, bits: int) -> None:
        """A call fails where an argument has any of these bits."""
        self._tested(numbers, argument, self._ANY_BIT, bits, True)

    def refuse_unless(self, numbers: Sequence[int], argument: int, bits: int) -> None:
        """A call fails where an argument has none of these bits."""
        self._tested(numbers, argument, self._ANY_BIT, bits, False)

    def refuse_unless_equal(self, numbers: Sequence[int], argument: int, value: int) -> None:
        """A call fails where an argument is not this number."""
        self._tested(numbers, argument, self._EQUAL, value, False)

    def finished(self) -> bytes:
        """The instructions; what is not refused is allowed."""
        self._add(self._RETURN, 0, 0, self._ALLOW)
        return b"".join(struct.pack("HBBI", *instruction) for instruction in self.code)


# ---- the audit hook
_REFUSED = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.system",
            "os.kill", "os.killpg", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto",
            "os.startfile", "webbrowser.open", "ftplib.connect", "urllib.Request")  # fmt: skip
_ON_FILES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
             "os.chown", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip


def _hook(scratch: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Refuses what Python code is seen to do, with a message that says why."""
    refused, on_files = frozenset(_REFUSED), frozenset(_ON_FILES)
    real, fspath, separator = os.path.realpath, os.fspath, os.sep

    def inside(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        try:
            text = fspath(path)
            full = real(text.decode() if isinstance(text, bytes) else text)
        except (TypeError, ValueError, UnicodeDecodeError):
            return False
        return full == scratch or full.startswith(scratch + separator) or full == os.devnull

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in refused:
            raise PermissionError(f"{event} is not allowed while a backward pass is checked")
        if event == "open":
            path, mode, flags = args
            writes = bool(isinstance(mode, str) and set(mode) & set("wax+"))
            writes = writes or bool(mode is None and isinstance(flags, int) and flags & _WRITE_FLAGS)
            if writes and not inside(path):
                raise PermissionError(f"writing to {path} is not allowed while a backward pass is checked")
        elif event in on_files and not all(inside(p) for p in args[:2] if isinstance(p, str | bytes)):
            raise PermissionError(f"{event} is not allowed while a backward pass is checked")

    return hook
