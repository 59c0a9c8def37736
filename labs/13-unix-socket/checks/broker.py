"""An fdbroker for one client that passes a file without looking at its name."""

import socket
import sys

path, file = sys.argv[1:3]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
print("ready", flush=True)
client, _ = listener.accept()
request = b""
while not request.endswith(b"\0"):
    piece = client.recv(100)
    if not piece:
        sys.exit("the request ends without a zero byte")
    request += piece
with open(file, "rb") as passed:
    socket.send_fds(client, [bytes(4)], [passed.fileno()])
client.close()
