/// An object of family `inet` whose name may hold any bytes but NUL: nft's language has no words for
/// it, and the kernel takes it all the same.
package struct StrangeObject {
    package enum Kind: String, CaseIterable, Sendable {
        case table, chain, set, counter
        /// At the hook `input`.
        case droppingChain
    }

    package var kind: Kind
    /// That it is in; not of a table itself.
    package var table: [UInt8]
    package var name: [UInt8]

    package init(_ kind: Kind, in table: [UInt8] = [], named name: [UInt8]) {
        self.kind = kind
        self.table = table
        self.name = name
    }

    /// A command that puts it into the kernel, by netlink alone.
    package var insertion: [String] {
        ["python3", "-c", Self.script, kind.rawValue, Self.digits(table), Self.digits(name)]
    }

    private static func digits(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    private static let script = """
        import socket, struct, sys
        kind, table, name = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
        REQUEST, ACK, CREATE, INET = 1, 4, 0x400, 1
        def attribute(kind, data):
            return struct.pack("HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)
        def message(kind, flags, family, resource, body=b""):
            return struct.pack("IHHII", 20 + len(body), kind, flags, 1, 0) + struct.pack(
                ">BBH", family, 0, resource) + body
        def number(value): return struct.pack(">I", value)
        def text(value): return value + bytes(1)
        owner = attribute(1, text(table))
        counter = attribute(1, bytes(8)) + attribute(2, bytes(8))
        hook = attribute(1, number(1)) + attribute(2, number(5))
        number_of, body = {
            "table": (0xa00, attribute(1, text(name))),
            "chain": (0xa03, owner + attribute(3, text(name))),
            "droppingChain": (0xa03, owner + attribute(3, text(name))
                + attribute(4 | 0x8000, hook) + attribute(5, number(0))
                + attribute(7, text(b"filter"))),
            "set": (0xa09, owner + attribute(2, text(name)) + attribute(3, number(0))
                + attribute(4, number(7)) + attribute(5, number(4)) + attribute(10, number(1))),
            "counter": (0xa12, owner + attribute(2, text(name)) + attribute(3, number(1))
                + attribute(4 | 0x8000, counter)),
        }[kind]
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        netlink.bind((0, 0))
        netlink.send(message(16, REQUEST, 0, 10)
            + message(number_of, REQUEST | ACK | CREATE, INET, 0, body)
            + message(17, REQUEST, 0, 10))
        error, = struct.unpack("i", netlink.recv(65536)[16:20])
        if error: sys.exit("the kernel answers %d" % error)
        """
}
