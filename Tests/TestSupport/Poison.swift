/// Kernel state that libnftables 1.0.6 does not survive: a set whose user data, which the kernel
/// keeps without looking at them, name a type of expression that the library does not know. Newer
/// versions of nft write such data.
package struct Poison {
    /// In the program `nft`'s words.
    package var family: Family
    package var table: String
    package var set = "poison"

    package enum Family: Int {
        case inet = 1
        case ip = 2
    }

    package init(_ family: Family, table: String) {
        self.family = family
        self.table = table
    }

    /// A command that puts it into the kernel, with its table where that is not there. Not by
    /// libnftables, which could not take it away again.
    package var insertion: [String] { command("insert") }

    /// A command that takes it, and nothing else, away.
    package var removal: [String] { command("remove") }

    private func command(_ verb: String) -> [String] {
        ["python3", "-c", Self.script, verb, "\(family.rawValue)", table, set]
    }

    private static let script = """
        import socket, struct, sys
        verb, family, table, name = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
        NEWTABLE, NEWSET, DELSET = 0xa00, 0xa09, 0xa0b
        REQUEST, ACK, CREATE = 1, 4, 0x400
        def attribute(kind, data):
            return struct.pack("HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)
        def message(kind, flags, family, resource, body=b""):
            return struct.pack("IHHII", 20 + len(body), kind, flags, 1, 0) + struct.pack(
                ">BBH", family, 0, resource) + body
        def number(value): return struct.pack(">I", value)
        def text(value): return value.encode() + bytes(1)
        def field(kind, data): return bytes([kind, len(data)]) + data
        # NFTNL_UDATA_SET_KEYBYTEORDER, and NFTNL_UDATA_SET_KEY_TYPEOF with an unknown expression.
        data = field(0, struct.pack("I", 2)) + field(
            3, field(0, struct.pack("I", 200)) + field(1, bytes(4)))
        if verb == "insert":
            wanted = [
                message(NEWTABLE, REQUEST | ACK | CREATE, family, 0, attribute(1, text(table))),
                message(NEWSET, REQUEST | ACK | CREATE, family, 0,
                    attribute(1, text(table)) + attribute(2, text(name))
                    + attribute(3, number(0)) + attribute(4, number(7)) + attribute(5, number(4))
                    + attribute(10, number(1)) + attribute(13, data))]
        else:
            wanted = [message(DELSET, REQUEST | ACK, family, 0,
                attribute(1, text(table)) + attribute(2, text(name)))]
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        netlink.bind((0, 0))
        netlink.send(message(16, REQUEST, 0, 10) + b"".join(wanted) + message(17, REQUEST, 0, 10))
        answers = 0
        while answers < len(wanted):
            received = netlink.recv(65536)
            while received:
                length, kind = struct.unpack("IH", received[:6])
                if kind == 2:
                    answers += 1
                    error, = struct.unpack("i", received[16:20])
                    if error: sys.exit("the kernel answers %d" % error)
                received = received[(length + 3) & ~3:]
        """
}
