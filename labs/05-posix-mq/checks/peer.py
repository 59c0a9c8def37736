"""Sends and receives by libc's own functions: the queue's other user, which knows nothing of jobq."""

import ctypes
import os
import sys


class Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("flags", "maxmsg", "msgsize", "curmsgs", "r0", "r1", "r2", "r3")]


# Before glibc 2.34 the functions are in librt alone.
library = ctypes.CDLL("librt.so.1", use_errno=True)
try:
    library.mq_open
except AttributeError:
    library = ctypes.CDLL(None, use_errno=True)
library.mq_receive.restype = ctypes.c_ssize_t


def must(result, call):
    if result == -1:
        sys.exit(f"{call}: {os.strerror(ctypes.get_errno())}")
    return result


command, name = sys.argv[1], os.fsencode(sys.argv[2])
queue = must(library.mq_open(name, os.O_RDWR), "mq_open")
if command == "send":
    text = sys.stdin.buffer.read()
    must(library.mq_send(queue, text, ctypes.c_size_t(len(text)), ctypes.c_uint(int(sys.argv[3]))), "mq_send")
else:
    attributes = Attributes()
    must(library.mq_getattr(queue, ctypes.byref(attributes)), "mq_getattr")
    buffer = ctypes.create_string_buffer(attributes.msgsize)
    priority = ctypes.c_uint()
    length = must(library.mq_receive(queue, buffer, ctypes.c_size_t(len(buffer)), ctypes.byref(priority)), "mq_receive")
    sys.stdout.buffer.write(b"%d %d %d " % (attributes.maxmsg, attributes.msgsize, priority.value) + buffer.raw[:length])
