import DeploymentGenerator
import Foundation
import Policy
import PortModel
import Ruleset
import TestSupport
import Testing

@testable import Netlink

/// Connection tracking's table, filled by `conntrack` and read and emptied by us.
@Suite("Connection tracking", .serialized)
struct FlowTrackingTests {
    private static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    @discardableResult
    private static func conntrack(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/sbin/conntrack")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }

    /// Makes entries, each by the arguments of `conntrack -I`.
    private static func insert(_ entries: [String]) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data(entries.map { "-I -t 600 \($0)\n" }.joined().utf8).write(to: file)
        defer { unlink(file.path) }
        try conntrack("-R", file.path)
    }

    /// The IPv4 entries' lines with their ids; other tests' traffic has other addresses.
    private static func listing() throws -> [Substring] {
        try conntrack("-L", "-f", "ipv4", "-o", "id", "-s", "192.0.2.7").split(separator: "\n")
    }

    private static func inEmptyTable(_ body: () throws -> Void) throws {
        try OwnNamespace.require()
        try conntrack("-F")
        defer { _ = try? conntrack("-F") }
        try body()
    }

    private static func all(_ addresses: Set<IPAddress>) throws -> [Flow] {
        try FlowTracking.flows(touching: addresses, atMost: .max) { _ in true }
    }

    @Test("how full it is, as the kernel tells by itself")
    func use() throws {
        try Self.inEmptyTable {
            try Self.insert(
                (1...5).map {
                    "-p udp -s 192.0.2.7 -d 10.0.0.21 --sport \($0) --dport 53"
                })
            func setting(_ name: String) throws -> Int? {
                Int(
                    try String(
                        contentsOfFile: "/proc/sys/net/netfilter/nf_conntrack_\(name)",
                        encoding: .utf8
                    ).trimmingCharacters(in: .whitespacesAndNewlines))
            }
            let use = try FlowTracking.use()
            #expect(use.entries >= 5)
            #expect(use.entries == (try setting("count")))
            #expect(use.limit == (try setting("max")))
        }
    }

    @Test("entries of every kind are read as they are, and end one by one")
    func kinds() throws {
        let node = Self.address("10.0.0.21")
        let node6 = Self.address("2001:db8::21")
        let peer = "192.0.2.7"
        let cases: [(arguments: String, flow: Flow)] = [
            (
                "-p tcp -s \(peer) -d 10.0.0.21 --sport 1000 --dport 443 --state ESTABLISHED",
                Self.flow(6, peer, "10.0.0.21", .ports(source: 1000, destination: 443))
            ),
            (
                "-p udp -s 10.0.0.21 -d \(peer) --sport 55000 --dport 53",
                Self.flow(17, "10.0.0.21", peer, .ports(source: 55000, destination: 53))
            ),
            (
                "-p icmp -s \(peer) -d 10.0.0.21 --icmp-type 8 --icmp-code 0 --icmp-id 77",
                Self.flow(1, peer, "10.0.0.21", .icmp(id: 77, type: 8, code: 0))
            ),
            (
                "-p gre -s \(peer) -d 10.0.0.21 --srckey 1 --dstkey 2",
                Self.flow(47, peer, "10.0.0.21", .ports(source: 1, destination: 2))
            ),
            ("-p 50 -s \(peer) -d 10.0.0.21", Self.flow(50, peer, "10.0.0.21")),
            (
                "-p sctp -s \(peer) -d 10.0.0.21 --sport 9 --dport 10 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2",
                Self.flow(132, peer, "10.0.0.21", .ports(source: 9, destination: 10))
            ),
            (
                "-p tcp -s 2001:db8::9 -d 2001:db8::21 --sport 1 --dport 22 --state ESTABLISHED",
                Self.flow(6, "2001:db8::9", "2001:db8::21", .ports(source: 1, destination: 22))
            ),
            (
                "-p icmpv6 -s 2001:db8::9 -d 2001:db8::21 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 5",
                Self.flow(58, "2001:db8::9", "2001:db8::21", .icmp(id: 5, type: 128, code: 0))
            ),
            (
                // Destination NAT to the node, another port included.
                "-p tcp -s \(peer) -d 203.0.113.1 --sport 1001 --dport 80 --dst-nat 10.0.0.21:8080 --state ESTABLISHED",
                Self.flow(
                    6, peer, "203.0.113.1", .ports(source: 1001, destination: 80),
                    reply: Self.flow(
                        6, "10.0.0.21", peer, .ports(source: 8080, destination: 1001)
                    ).original)
            ),
            (
                "-p udp -s \(peer) -d 10.0.0.21 --sport 7 --dport 7 --zone 5",
                Self.flow(
                    17, peer, "10.0.0.21", .ports(source: 7, destination: 7), zone: .both(5))
            ),
            (
                "-p udp -s \(peer) -d 10.0.0.21 --sport 8 --dport 8 --orig-zone 6",
                Self.flow(
                    17, peer, "10.0.0.21", .ports(source: 8, destination: 8), zone: .original(6))
            ),
            (
                "-p udp -s \(peer) -d 10.0.0.21 --sport 9 --dport 9 --reply-zone 6",
                Self.flow(17, peer, "10.0.0.21", .ports(source: 9, destination: 9))
            ),
        ]
        try Self.inEmptyTable {
            try Self.insert(
                cases.map(\.arguments) + [
                    // Nobody's, and taken away from the node by destination NAT.
                    "-p udp -s \(peer) -d 192.0.2.9 --sport 1 --dport 2",
                    "-p tcp -s \(peer) -d 10.0.0.21 --sport 1002 --dport 80 --dst-nat 172.17.0.2 --state ESTABLISHED",
                ])
            var found = try Self.all([node, node6])
            #expect(found.count == cases.count)
            #expect(Set(found.map(\.id)).count == cases.count)
            for (arguments, expected) in cases {
                let same = found.first {
                    var copy = $0
                    copy.id = 0
                    return copy == expected
                }
                #expect(same != nil, "\(arguments)")
            }
            // One after another, each and no other.
            while let flow = found.popLast() {
                #expect(try FlowTracking.end([flow]) == EndedFlows(count: 1), "\(flow)")
                #expect(Set(try Self.all([node, node6])) == Set(found), "\(flow)")
                // It is gone already.
                #expect(try FlowTracking.end([flow]) == EndedFlows(), "\(flow)")
            }
            #expect(try Self.listing().count == 2)
        }
    }

    private static func flow(
        _ protocolNumber: UInt8, _ source: String, _ destination: String,
        _ detail: Flow.Detail = .none, reply: Flow.Tuple? = nil, zone: Flow.Zone = .none
    ) -> Flow {
        Flow(
            id: 0, zone: zone,
            original: Flow.Tuple(
                from: address(source), to: address(destination), protocolNumber: protocolNumber,
                detail), reply: reply)
    }

    @Test("a new flow with the tuple of an old one is not ended in its place")
    func reused() throws {
        try Self.inEmptyTable {
            let node = Self.address("10.0.0.21")
            let entry =
                "-p udp -s 192.0.2.7 -d 10.0.0.21 --sport 1000 --dport 53"
            // The number is made from where the entry lies in memory: another one keeps its place.
            try Self.insert([entry])
            let old = try #require(try Self.all([node]).first)
            var other = old
            other.id = ~old.id
            #expect(try FlowTracking.end([other]) == EndedFlows())
            #expect(try Self.all([node]) == [old])
            var elsewhere = old
            elsewhere.zone = .both(9)
            #expect(try FlowTracking.end([elsewhere]) == EndedFlows())
            #expect(try FlowTracking.end([old]) == EndedFlows(count: 1))
        }
    }

    @Test("20,000 entries: those that are wanted end, exactly, and the others stay")
    func many() throws {
        try Self.inEmptyTable {
            let count = 20_000
            try Self.insert(
                (0..<count).map {
                    "-p udp -s 192.0.2.7 -d 10.0.\($0 % 4).21 --sport \(1024 + $0) --dport \($0 % 2 == 0 ? 53 : 54)"
                })
            let nodes: Set = [Self.address("10.0.0.21"), Self.address("10.0.1.21")]
            let before = Set(try Self.listing())
            #expect(before.count == count)
            let wanted = try FlowTracking.flows(touching: nodes, atMost: .max) {
                $0.transport.ports?.destination == 53
            }
            #expect(wanted.count == count / 4)
            #expect(wanted.allSatisfy { $0.original.destination == Self.address("10.0.0.21") })
            let some = try FlowTracking.flows(touching: nodes, atMost: 100) { _ in true }
            #expect(some.count == 100)

            #expect(try FlowTracking.end(wanted) == EndedFlows(count: count / 4))
            // The others are the same entries as before.
            let after = try Self.listing()
            #expect(after.count == count - count / 4)
            let ids = Set(before.map(Self.id))
            #expect(after.allSatisfy { ids.contains(Self.id($0)) })
            #expect(!after.contains { $0.contains("dst=10.0.0.21") && $0.contains("dport=53") })
        }
    }

    private static func id(_ line: Substring) -> Substring {
        line.split(separator: " ").last { $0.hasPrefix("id=") } ?? ""
    }

    // MARK: Attributes

    /// A UDP entry with a flow that announced it, as the kernel would write it.
    private static var message: [UInt8] {
        func attribute(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
            let length = UInt16(payload.count + 4)
            var bytes: [UInt8] = []
            for number in [length, type] { withUnsafeBytes(of: number) { bytes += $0 } }
            return bytes + payload + Array(repeating: 0, count: (4 - payload.count % 4) % 4)
        }
        func tuple(_ source: [UInt8], _ destination: [UInt8], _ ports: [UInt8]) -> [UInt8] {
            attribute(0x8001, attribute(1, source) + attribute(2, destination))
                + attribute(
                    0x8002,
                    attribute(1, [17]) + attribute(2, Array(ports[..<2]))
                        + attribute(3, Array(ports[2...])))
        }
        let (a, b): ([UInt8], [UInt8]) = ([10, 0, 0, 21], [192, 0, 2, 7])
        return attribute(0x8001, tuple(a, b, [1, 2, 3, 4]))
            + attribute(0x8002, tuple(b, a, [3, 4, 1, 2]))
            + attribute(3, [0, 0, 0, 8]) + attribute(12, [0, 0, 1, 0])
            + attribute(0x800e, tuple(b, a, [0, 21, 0, 22]))
    }

    @Test func attributesAreReadInNetworkOrder() throws {
        let flow = Self.message.withUnsafeBytes { Flow(NetlinkAttributes($0)) }
        let (node, peer) = (Self.address("10.0.0.21"), Self.address("192.0.2.7"))
        #expect(
            flow
                == Flow(
                    id: 256,
                    original: Flow.Tuple(
                        from: node, to: peer, protocolNumber: 17,
                        .ports(source: 0x102, destination: 0x304)),
                    master: Flow.Tuple(
                        from: peer, to: node, protocolNumber: 17,
                        .ports(source: 21, destination: 22))))
    }

    /// Whatever the bytes, reading stays within them; the address sanitizer or a trap would tell.
    @Test func damagedAttributesAreReadWithinTheirBounds() {
        let whole = Self.message
        var readableLengths: [Int] = []
        for length in 0..<whole.count {
            // On a heap block of its own size.
            let part = Array(whole[..<length])
            if part.withUnsafeBytes({ Flow(NetlinkAttributes($0)) }) != nil {
                readableLengths.append(length)
            }
        }
        // Only without all of the last attribute, which need not be there.
        #expect(readableLengths == [whole.count - 52])
        var random = SeededGenerator(seed: 4)
        var readable = 0
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            if bytes.withUnsafeBytes({ Flow(NetlinkAttributes($0)) }) != nil { readable += 1 }
        }
        #expect((1..<20_000).contains(readable))
    }
}
