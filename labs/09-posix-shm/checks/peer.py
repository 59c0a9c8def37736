"""Puts and gets lines by the layout in the handout: the ring's other user, which knows nothing of the program."""

import ctypes
import mmap
import os
import sys

HEAD, TAIL, MUTEX, FREE, USED, SLOTS, SLOT = 8, 12, 16, 48, 80, 128, 256

command, name = sys.argv[1:3]
library = ctypes.CDLL(None, use_errno=True)
descriptor = os.open("/dev/shm" + name, os.O_RDWR)
memory = mmap.mmap(descriptor, 0)
base = ctypes.addressof(ctypes.c_char.from_buffer(memory))


def number(offset):
    return ctypes.c_uint32.from_address(base + offset)


def semaphore(call, offset):
    if getattr(library, call)(ctypes.c_void_p(base + offset)) == -1:
        sys.exit(f"{call}: {os.strerror(ctypes.get_errno())}")


def advance(index):
    index.value = (index.value + 1) % number(4).value


if command == "put":
    for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
        semaphore("sem_wait", FREE)
        semaphore("sem_wait", MUTEX)
        slot = SLOTS + SLOT * number(TAIL).value
        number(slot).value = len(line)
        memory[slot + 4 : slot + 4 + len(line)] = line
        advance(number(TAIL))
        semaphore("sem_post", MUTEX)
        semaphore("sem_post", USED)
else:
    for _ in range(int(sys.argv[3])):
        semaphore("sem_wait", USED)
        semaphore("sem_wait", MUTEX)
        slot = SLOTS + SLOT * number(HEAD).value
        length = number(slot).value
        line = memory[slot + 4 : slot + 4 + length]
        advance(number(HEAD))
        semaphore("sem_post", MUTEX)
        semaphore("sem_post", FREE)
        sys.stdout.buffer.write(line + b"\n")
