"""An fdget that keeps others waiting: for each line of its input a client connects and says nothing. At its end another one asks, and the silent ones after it."""

import os
import socket
import sys

path, name = sys.argv[1], os.fsencode(sys.argv[2])


def connected():
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def ask(client):
    client.sendall(name + b"\0")
    answer, descriptors, _, _ = socket.recv_fds(client, 4, 2)
    if answer != bytes(4) or len(descriptors) != 1:
        sys.exit(f"the answer is {answer.hex()} with {len(descriptors)} descriptors")
    with open(descriptors[0], "rb") as file:
        sys.stdout.buffer.write(file.read())
    if client.recv(1):
        sys.exit("more than an answer comes")


waiting = []
while sys.stdin.buffer.raw.read(1):
    waiting.append(connected())
for client in [connected()] + waiting:
    ask(client)
