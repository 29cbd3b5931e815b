"""Changes a table of pexip-fw in random ways, one after another, and waits for each to be repaired.

usage: tamper.py TABLE COUNT SEED AGENT-PID

Runs as root in the network namespace of the table. A change is one transaction; its exposure is the
time from the kernel's notification of it to that of the repair. Then it measures the same for the
quickest repair that a script could make, nft -f, with the agent stopped. Prints one JSON object;
ends with an error at the first change that is not repaired in time.
"""

import ctypes
import json
import os
import queue
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

# Of the kernel's and libnftables' headers.
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NETLINK_NETFILTER, NFNLGRP_NFTABLES = 270, 1, 12, 7
SO_RCVBUFFORCE = 33
NEWGEN, NFTA_GEN_PROC_PID, NFT_CTX_OUTPUT_JSON = 10 << 8 | 15, 2, 1 << 4
PATIENCE = 60.0
# Comparisons with nft -f.
SCRIPTED = 50

lib = ctypes.CDLL("libnftables.so.1")
lib.nft_ctx_new.restype = ctypes.c_void_p
for function in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
    getattr(lib, function).restype = ctypes.c_char_p


class Nftables:
    def __init__(self, flags=0):
        self.context = ctypes.c_void_p(lib.nft_ctx_new(0))
        lib.nft_ctx_buffer_output(self.context)
        lib.nft_ctx_buffer_error(self.context)
        lib.nft_ctx_output_set_flags(self.context, flags)

    def run(self, command):
        status = lib.nft_run_cmd_from_buffer(self.context, command.encode())
        output = lib.nft_ctx_get_output_buffer(self.context).decode()
        errors = lib.nft_ctx_get_error_buffer(self.context).decode()
        if status != 0:
            raise RuntimeError(f"{command}: {errors}")
        return output


class Listener(threading.Thread):
    """Who committed, and when it was heard of."""

    def __init__(self):
        super().__init__(daemon=True)
        self.commits = queue.Queue()
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((0, 0))
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self.start()

    def run(self):
        while True:
            data = self.socket.recv(1 << 20)
            now = time.perf_counter()
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == NEWGEN:
                    self.commits.put((self.writer(data[20:length]), now))
                data = data[(length + 3) & ~3:]

    @staticmethod
    def writer(attributes):
        while attributes:
            length, kind = struct.unpack_from("=HH", attributes)
            if kind == NFTA_GEN_PROC_PID:
                return struct.unpack_from(">I", attributes, 4)[0]
            attributes = attributes[(length + 3) & ~3:]
        return None

    def next(self, isMine):
        """When the next commit of ours, or of others, was heard of."""
        deadline = time.monotonic() + PATIENCE
        while True:
            writer, at = self.commits.get(timeout=deadline - time.monotonic())
            if (writer == threading.main_thread().native_id) == isMine:
                return at


class Contents:
    """A listing, taken apart."""

    def __init__(self, nft, table):
        self.table = table
        objects = json.loads(nft.run(f"list table inet {table}"))["nftables"]
        self.rules = [o["rule"] for o in objects if "rule" in o]
        self.chains = [o["chain"] for o in objects if "chain" in o]
        self.sets = [o["set"] for o in objects if "set" in o]
        self.objects = objects

    @property
    def base(self):
        return [chain for chain in self.chains if "hook" in chain]

    def canonical(self):
        """Everything but handles, counts and the order in which objects were made.

        Nor the order of rules, which matters between those that one packet can meet: the agent looks
        after that, and `orderMattersWhereItDecides` after the agent.
        """
        def strip(value):
            if isinstance(value, dict):
                return {k: strip(v) for k, v in value.items() if k not in ("handle", "packets", "bytes")}
            return [strip(v) for v in value] if isinstance(value, list) else value

        rules = [(r["chain"], json.dumps(strip(r), sort_keys=True)) for r in self.rules]
        rest = [json.dumps(strip(o), sort_keys=True) for o in self.objects
                if "rule" not in o and "metainfo" not in o]
        return sorted(rules), sorted(rest)


def random_address(rng):
    return f"203.0.113.{rng.randrange(1, 255)}"


def changes(rng, contents):
    """Name and command of one change, of each kind as often."""
    table = contents.table
    rule = rng.choice(contents.rules)
    chain = rng.choice([c for c in contents.chains if any(r["chain"] == c["name"] for r in contents.rules)])
    # With the policy that a change of it opens.
    base = rng.choice([c for c in contents.base if c["policy"] == "drop"])
    at = f"inet {table} {rule['chain']} handle {rule['handle']}"
    comment = f' comment "{rule["comment"]}"' if "comment" in rule else ""
    kinds = {
        "delete a rule": f"delete rule {at}",
        "flush a chain": f"flush chain inet {table} {chain['name']}",
        "insert a rule": f"insert rule inet {table} {base['name']} ip saddr {random_address(rng)} accept",
        "edit a rule, comment kept": f"replace rule {at} udp dport {rng.randrange(1, 65535)} accept{comment}",
        "add behind a rule": f"add rule inet {table} {rule['chain']} position {rule['handle']} counter",
        "delete the table": f"delete table inet {table}",
        "add a chain": f"add chain inet {table} foreign{rng.randrange(100)}",
        "add a counter": f"add counter inet {table} foreign{rng.randrange(100)}",
        "open a policy": f"chain inet {table} {base['name']} {{ policy accept; }}",
    }
    sets = [s for s in contents.sets if s["type"] == "ipv4_addr" and s.get("elem")]
    if sets:
        chosen = rng.choice(sets)["name"]
        kinds["flush a set"] = f"flush set inet {table} {chosen}"
        kinds["add an element"] = f"add element inet {table} {chosen} {{ {random_address(rng)} }}"
        kinds["exchange the elements"] = (
            f"flush set inet {table} {chosen}; add element inet {table} {chosen} {{ {random_address(rng)} }}")
    return kinds


def main():
    table, count, seed, agent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)
    reader, writer, listener = Nftables(NFT_CTX_OUTPUT_JSON), Nftables(), Listener()
    original = Contents(reader, table).canonical()
    text = subprocess.run(["nft", "-s", "list", "table", "inet", table], capture_output=True, text=True,
                          check=True).stdout

    def change():
        kinds = changes(rng, Contents(reader, table))
        name = rng.choice(sorted(kinds))
        writer.run(kinds[name])
        return name, listener.next(isMine=True)

    def compare(after):
        if Contents(reader, table).canonical() != original:
            raise RuntimeError(f"not repaired: {after}")

    exposures, kinds, further = [], {}, {}
    for number in range(count):
        # A repair is one commit; what came after it belongs to no change.
        while not listener.commits.empty():
            listener.commits.get()
            further[name] = further.get(name, 0) + 1
        name, start = change()
        exposures.append(listener.next(isMine=False) - start)
        kinds[name] = kinds.get(name, 0) + 1
        if number % 20 == 0 or number == count - 1:
            compare(name)

    os.kill(agent, signal.SIGSTOP)
    scripted = []
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
            file.write(f"table inet {table}\ndelete table inet {table}\n{text}")
            file.flush()
            for _ in range(min(count, SCRIPTED)):
                name, start = change()
                subprocess.run(["nft", "-f", file.name], check=True)
                scripted.append(listener.next(isMine=False) - start)
    finally:
        os.kill(agent, signal.SIGCONT)

    def part(values, share):
        return round(1000 * sorted(values)[min(len(values) - 1, int(len(values) * share))], 3)

    print(json.dumps({
        "repaired": len(exposures), "kinds": kinds, "furtherCommits": further,
        "milliseconds": {name: part(exposures, share) for name, share in (
            ("min", 0), ("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))},
        "scripted": {"median": part(scripted, 0.5), "max": part(scripted, 1)},
        "ratio": round(part(exposures, 0.5) / part(scripted, 0.5), 3)}))


main()
