import LinuxSystem
import PortModel
import Ruleset
import Site

@testable import Netlink
@testable import Nftables

extension Parser {
    /// What the kernel, libnftables, the keeper and the worker tell. A frame may be larger than what is
    /// tried here, which shows how time and memory grow.
    static let kernelParsers: [Parser] = [
        Parser("netlink", upTo: NetlinkSocket.largestDatagram) { input in
            let group = TransactionGroup()
            _ = input.withUnsafeBytes { bytes in
                NetlinkSocket.forEachMessage(in: bytes) { message in
                    _ = group.add(message)
                    let sample = Sample(message.attributes)
                    _ = message.isLoggedPacket ? sample : nil
                    _ = Flow(message.attributes)
                    _ = (message.routeType, message.family, message.generationBits)
                    message.attributes.forEach { _, payload in
                        payload.nested.forEach { _, expression in
                            _ = ExpressionMeaning(expression, family: message.family)
                        }
                    }
                }
            }
        },
        Parser("packet", upTo: 1 << 16) { input in
            guard let headers = input.withUnsafeBytes({ PacketHeaders($0) }) else { return }
            try require(headers.source.family == headers.destination.family, "of two families")
            _ = RefusedPacket(
                counter: Refusal.invalid.counter.name, from: headers.source,
                to: headers.destination,
                protocolNumber: headers.protocolNumber, headers.transport)
        },
        Parser("flow", upTo: 1 << 16) { input in
            guard let flow = input.withUnsafeBytes({ Flow(NetlinkAttributes($0)) }) else { return }
            try require(try sent(flow) == flow, "it is sent as another flow")
            _ = flow.description
        },
        Parser("set-elements", upTo: 4 << 20) { input in
            let elements = SetElements(bytes: input)
            for family in AddressFamily.allCases {
                _ = elements.addresses(family)
                if let set = elements.intervals(family) {
                    try require(set.only(family) == set, "addresses of two families")
                }
                for kind in [NamedSet.Kind.pairs, .strayPairs] {
                    guard let limits = kind.noteLimits else { continue }
                    for (_, age) in elements.noted(family, limits) {
                        try require((0...limits.seconds).contains(age), "noted \(age) s ago")
                    }
                }
            }
        },
        Parser("listing", upTo: 4 << 20) { input in
            // Behind a NUL, which no JSON has, come elements for a set.
            let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            let elements = parts.count == 2 ? Array(parts[1]) : []
            guard let listing = listing(Array(parts[0]), elements) else { return }
            let observed = listing.table(listedTable)
            _ = observed.stamp
            guard let table = Table(observed) else { return }
            _ = table.text
        },
        Parser("wire", upTo: 4 << 20) { input in
            // The first byte chooses the value.
            guard let choice = input.first else { return }
            let kinds = wireValues
            try kinds[Int(choice) % kinds.count](Array(input.dropFirst()))
        },
        Parser("frames", upTo: 1 << 16) { input in
            let (sender, receiver) = try UnixSocket.pair()
            var rest = input[...]
            while !rest.isEmpty, case .bytes(let count) = try sender.send(rest) {
                rest = rest.dropFirst(count)
            }
            try sender.shutDown()
            let channel = FrameChannel(receiver)
            var taken: [UInt8] = []
            do throws(FrameChannel.Failure) {
                while true {
                    let frame = try channel.receive(limit: largestFrame)
                    var writer = WireWriter()
                    writer.put(UInt32(frame.payload.count))
                    writer.put(frame.kind)
                    taken += writer.bytes + frame.payload
                }
            } catch {
                // The last one is cut off, or too long.
            }
            try require(input.starts(with: taken), "frames that nobody sent")
        },
        Parser("complaints", upTo: 1 << 20) { input in
            let complaints = Complaints(String(decoding: input, as: UTF8.self))
            try require(!complaints.found.isEmpty, "nothing is told of a failure")
        },
    ]

    private static let largestFrame = 1 << 12

    /// The table that is looked for in listings, and a set of its.
    private static let listedTable = TableID(.inet, "pexip_fw_conf_lon_1")
    private static let listedSet = "mesh.v4"

    private static func listing(_ json: [UInt8], _ elements: [UInt8]) -> Listing? {
        do throws(KernelError) {
            return try Listing(
                json: json, elements: [ListedElements(set: listedSet, attributes: elements)])
        } catch {
            return nil
        }
    }

    private static let wireValues: [@Sendable ([UInt8]) throws -> Void] = [
        check(SnapshotRequest.self), check(SnapshotRequest.Reply.self), check(CommitRequest.self),
        check(FlowsRequest.self), check(FlowsPart.self), check(EndFlowsRequest.self),
        check(EndedFlows.self), check(ForeignTablesRequest.self),
        check(ForeignTablesRequest.Reply.self),
        check(CountsRequest.self), check(CountsRequest.Reply.self), check(RunReply.self),
        check(KernelError.self), check(IntroductionRequest.Reply.self),
        check(LogGroup.Answer.self), check(KeeperProgram.Message.self),
    ]

    /// What is read is written as bytes that are read as the same, if no text had to be mended.
    private static func check<Value: WireValue & SendableMetatype>(
        _ type: Value.Type
    ) -> @Sendable ([UInt8]) throws -> Void {
        { input in
            guard let value = received(type, input) else { return }
            let bytes = written(value)
            guard let again = received(type, bytes) else {
                throw Violation(description: "a \(type) that is sent can't be read")
            }
            try require(written(again) == bytes, "a \(type) is sent as another one")
        }
    }

    private static func received<Value: WireValue>(
        _ type: Value.Type, _ input: [UInt8]
    ) -> Value? {
        var reader = WireReader(input)
        do throws(WireError) {
            let value = try Value(from: &reader)
            try reader.end()
            return value
        } catch {
            return nil
        }
    }

    private static func written(_ value: some WireValue) -> [UInt8] {
        var writer = WireWriter()
        writer.put(value)
        return writer.bytes
    }

    private static func sent<Value: WireValue>(_ value: Value) throws -> Value? {
        received(Value.self, written(value))
    }
}
