"""Sends real packets between two network namespaces and compares what arrives with expectations.

exchange.py NODE_NAMESPACE PEERS_NAMESPACE, with one packet a line on standard input:

    EXPECTED  PROTOCOL  ADDRESS[,PORT]  >  ADDRESS[,PORT]  NOTE

EXPECTED is allowed or refused; PROTOCOL is tcp, udp or esp. The namespace that owns an address sends
or receives there; without a port any is taken. Exits with 1 where any line came out otherwise.
"""

import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

ESP = 50
# A refused packet never arrives: what has not come this long after the last allowed one is refused.
REFUSED_AFTER = 0.5
ALLOWED_WITHIN = 5.0


class Namespace:
    """A network namespace to make sockets in; a socket stays in the one it was made in."""

    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, name):
        self.descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        listing = subprocess.run(
            ["ip", "-netns", name, "-brief", "address"], check=True, capture_output=True, text=True)
        self.addresses = {word.split("/")[0] for word in listing.stdout.split() if "/" in word}

    def socket(self, family, kind, protocol=0):
        if self.libc.setns(self.descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


class Packet:
    """One line of the input and what became of it."""

    def __init__(self, number, line, namespaces):
        self.expected, self.protocol, source, _, destination, self.note = line.split(None, 5)
        if self.expected not in ("allowed", "refused") or self.protocol not in ("tcp", "udp", "esp"):
            raise ValueError(f"line {number} is neither allowed nor refused, or of no known protocol")
        self.source, self.destination = self.endpoint(source), self.endpoint(destination)
        self.sender = self.owner(self.source[0], namespaces)
        self.receiver = self.owner(self.destination[0], namespaces)
        self.family = socket.AF_INET6 if ":" in self.source[0] else socket.AF_INET
        self.token = b"<pexip-fw %d.%d>" % (os.getpid(), number)
        self.arrived = False

    @staticmethod
    def endpoint(text):
        address, _, port = text.partition(",")
        return address, int(port or 0)

    @staticmethod
    def owner(address, namespaces):
        for namespace in namespaces:
            if address in namespace.addresses:
                return namespace
        raise ValueError(f"no namespace has the address {address}")

    def open(self, receivers):
        """Opens both ends; packets to one address and port share the receiving end."""
        kind, protocol = {
            "tcp": (socket.SOCK_STREAM, 0),
            "udp": (socket.SOCK_DGRAM, 0),
            "esp": (socket.SOCK_RAW, ESP),
        }[self.protocol]
        key = (self.protocol, self.destination)
        if key not in receivers:
            receiver = self.receiver.socket(self.family, kind, protocol)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            receiver.bind(self.destination)
            if self.protocol == "tcp":
                receiver.listen()
            receivers[key] = receiver
        self.output = self.sender.socket(self.family, kind, protocol)
        self.output.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.output.bind(self.source)
        if self.protocol == "tcp":
            reset_on_close(self.output)

    def send(self):
        try:
            if self.protocol == "tcp":
                self.output.connect(self.destination)
            elif self.protocol == "udp":
                self.output.sendto(self.token, self.destination)
            else:
                # A security parameter index, a sequence number, and what would be ciphertext.
                self.output.sendto(
                    b"\0\0\x01\0" + b"\0\0\0\1" + self.token, (self.destination[0], 0))
        except BlockingIOError:
            pass
        except PermissionError:
            # What the sender of a packet sees that its output hook drops.
            pass

    @property
    def seen(self):
        return "allowed" if self.arrived else "refused"

    @property
    def route(self):
        def text(endpoint):
            address, port = endpoint
            if not port:
                return address
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

        return f"{text(self.source)} > {text(self.destination)}"


def reset_on_close(connection):
    """Leaves no half-closed connection behind that the next run would meet."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def receive(receiver, packets):
    """Takes what waits at a receiver and marks the packet that it is."""
    try:
        if receiver.type == socket.SOCK_STREAM:
            connection, peer = receiver.accept()
            reset_on_close(connection)
            connection.close()
            for packet in packets:
                packet.arrived |= (
                    packet.protocol == "tcp" and packet.output.getsockname()[:2] == peer[:2])
        else:
            data = receiver.recv(2048)
            for packet in packets:
                packet.arrived |= packet.protocol != "tcp" and packet.token in data
    except (BlockingIOError, ConnectionError):
        pass


def exchange(packets):
    receivers = {}
    for packet in packets:
        packet.open(receivers)
    for packet in packets:
        packet.send()
    started = quiet_since = time.monotonic()
    while True:
        for ready in select.select(receivers.values(), [], [], 0.05)[0]:
            receive(ready, packets)
            quiet_since = time.monotonic()
        now = time.monotonic()
        missing = any(p.expected == "allowed" and not p.arrived for p in packets)
        if now - quiet_since > REFUSED_AFTER and (not missing or now - started > ALLOWED_WITHIN):
            return


def main(arguments, lines):
    namespaces = [Namespace(name) for name in arguments]
    packets = [
        Packet(number, line, namespaces)
        for number, line in enumerate((line for line in lines if line.strip()), 1)
    ]
    exchange(packets)
    width = max(len(packet.route) for packet in packets)
    print(f"  {'':5}{'packet':{width + 2}}{'expected':10}seen")
    for packet in packets:
        wrong = "" if packet.seen == packet.expected else "   <<< DIFFERS"
        print(
            f"  {packet.protocol:5}{packet.route:{width + 2}}{packet.expected:10}{packet.seen:9}"
            f"{packet.note.strip()}{wrong}")
    return any(packet.seen != packet.expected for packet in packets)


if __name__ == "__main__":
    # An interrupted caller reports it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:], sys.stdin))
