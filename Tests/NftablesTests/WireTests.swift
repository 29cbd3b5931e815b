import Glibc
import LinuxSystem
import Netlink
import PortModel
import Ruleset
import Site
import Testing

@testable import Nftables

/// What the agent and its worker say to each other, as bytes.
@Suite("Wire")
struct WireTests {
    private static let address4 = IPAddress(family: .ipv4, value: 0x0a00_0015)
    private static let address6 = IPAddress(family: .ipv6, value: UInt128.max - 7)

    private static let flows: [Flow] = {
        let tcp = Flow.Tuple(
            from: address4, to: IPAddress(family: .ipv4, value: 1), protocolNumber: 6,
            .ports(source: 1, destination: 65_535))
        let icmp = Flow.Tuple(
            from: address6, to: IPAddress(family: .ipv6, value: 0), protocolNumber: 58,
            .icmp(id: 9, type: 128, code: 3))
        let esp = Flow.Tuple(from: address6, to: address6, protocolNumber: 50)
        return [
            Flow(id: .max, zone: .both(7), original: tcp),
            Flow(id: 0, zone: .original(65_535), original: icmp, reply: esp, master: icmp),
            Flow(id: 1, original: tcp, reply: tcp, master: tcp),
        ]
    }()

    private static func bytes(_ value: some WireValue) -> [UInt8] {
        var writer = WireWriter()
        writer.put(value)
        return writer.bytes
    }

    @Test("flows come out as they went in, and only whole")
    func flows() throws {
        let bytes = Self.bytes(FlowsPart(flows: Self.flows))
        var reader = WireReader(bytes)
        #expect(try FlowsPart(from: &reader).flows == Self.flows)
        try reader.end()
        for length in 0..<bytes.count {
            var reader = WireReader(Array(bytes.prefix(length)))
            #expect(throws: WireError.self) { _ = try FlowsPart(from: &reader) }
        }
        var more = WireReader(bytes + [0])
        _ = try FlowsPart(from: &more)
        #expect(throws: WireError.self) { try more.end() }
    }

    @Test("a length that no message has costs nothing")
    func lengths() {
        var flows = WireReader([0xff, 0xff, 0xff, 0xff])
        #expect(throws: WireError.self) { _ = try FlowsPart(from: &flows) }
        var text = WireReader([0xff, 0xff, 0xff, 0xff, 65])
        #expect(throws: WireError.self) { _ = try CommitRequest(from: &text) }
    }

    @Test("a snapshot comes out as it went in")
    func snapshot() throws {
        let bytes = Self.bytes(
            SnapshotRequest.Reply(
                generationBefore: 7,
                tables: [
                    ListedTable(
                        id: TableID(.inet, "a"),
                        listing: .json(
                            [0, 255, 10], elements: [ListedElements(set: "s", attributes: [1, 2])])),
                    ListedTable(
                        id: TableID(.bridge, "ä"), listing: .foreign(["table flags dormant", ""])),
                    ListedTable(id: TableID(.ip, ""), listing: .failed("no")),
                ], generationAfter: 8))
        var reader = WireReader(bytes)
        let reply = try SnapshotRequest.Reply(from: &reader)
        #expect(Self.bytes(reply) == bytes)
        #expect(
            reply.tables.map(\.id)
                == [TableID(.inet, "a"), TableID(.bridge, "ä"), TableID(.ip, "")])
        var unknown = WireWriter()
        unknown.put("ipx")
        unknown.put("a")
        var foreign = WireReader(unknown.bytes)
        #expect(throws: WireError.self) { _ = try TableID(from: &foreign) }
    }

    @Test("what others' tables hold comes out as it went in")
    func foreignTables() throws {
        let shadows = [
            Shadow(
                family: .bridge, table: "t", chain: "c", hook: .forward, priority: -300,
                policy: .drop, why: [.policyDrop, .queue], within: ["a", ""], owner: .docker),
            Shadow(legacy: "filter", family: .ip6),
        ]
        let tables = ForeignTables(
            shadows: shadows,
            lookalikes: [Lookalike(TableID(.bridge, "pexip_fw_ä\n"), handle: .max - 1)],
            translations: [
                SourceTranslation(family: .ip, table: "nat", chain: nil),
                SourceTranslation(family: .inet, table: "ä", chain: "c\n"),
            ])
        let bytes = Self.bytes(ForeignTablesRequest.Reply(tables: tables))
        var reader = WireReader(bytes)
        #expect(try ForeignTablesRequest.Reply(from: &reader).tables == tables)
        try reader.end()
        for length in 0..<bytes.count {
            var reader = WireReader(Array(bytes.prefix(length)))
            #expect(throws: WireError.self) { _ = try ForeignTablesRequest.Reply(from: &reader) }
        }
    }

    // MARK: Frames

    private static func send(
        _ payload: [UInt8], on channel: FrameChannel
    ) throws(FrameChannel.Failure) {
        var writer = WireWriter(reserving: FrameChannel.headerLength)
        for byte in payload { writer.put(byte) }
        try channel.send(kind: 9, writer)
    }

    @Test("frames keep their bounds, whatever comes at once")
    func frames() throws {
        let (ours, theirs) = try UnixSocket.pair()
        let (sender, receiver) = (FrameChannel(ours), FrameChannel(theirs))
        try Self.send([1, 2, 3], on: sender)
        try Self.send([], on: sender)
        try Self.send([4], on: sender)
        #expect(try !receiver.isHungUp())
        try ours.shutDown()
        #expect(try receiver.isHungUp())
        for payload in [[1, 2, 3], [], [4]] as [[UInt8]] {
            let frame = try receiver.receive(limit: 3)
            #expect(frame.kind == 9)
            #expect(frame.payload == payload)
        }
        #expect(Self.failure { _ = try receiver.receive(limit: 3) } == "ended")
        #expect(Self.failure { try Self.send([1], on: receiver) } == "ended")
    }

    @Test("what is too long, too late or cut off is told apart")
    func failures() throws {
        let (ours, theirs) = try UnixSocket.pair()
        let (sender, receiver) = (FrameChannel(ours), FrameChannel(theirs))
        try receiver.setTimeout(.milliseconds(10))
        #expect(Self.failure { _ = try receiver.receive(limit: 3) } == "timedOut")
        _ = try ours.send([0, 0, 0, 2, 9, 1])
        try ours.shutDown()
        #expect(Self.failure { _ = try receiver.receive(limit: 3) } == "ended")

        let (other, long) = try UnixSocket.pair()
        try Self.send([1, 2, 3, 4], on: FrameChannel(other))
        #expect(
            Self.failure { _ = try FrameChannel(long).receive(limit: 3) }
                == "broken(\"a message of 4 bytes is longer than 3\")")
        withExtendedLifetime(sender) {}
    }

    private static func failure(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return "\(error)"
        }
    }
}
