import Glibc
import LinuxSystem
import Netlink
import Policy
import PortModel
import Ruleset
import Site
import Synchronization
import TestSupport
import Testing

@testable import Nftables

extension NftablesKernelTests {
    /// Groups of nflog in the kernel: opened by the keeper, read without any privilege.
    @Suite("refusals") struct RefusalListenerTests {
        private final class Heard: Sendable {
            private let events = Mutex<[RefusalEvent]>([])
            func add(_ event: RefusalEvent) { events.withLock { $0.append(event) } }
            var all: [RefusalEvent] { events.withLock { $0 } }
        }

        private static func with(_ body: (KernelKeeper) throws -> Void) throws {
            try OwnNamespace.require()
            let keeper = try KernelKeeper(program: BuiltProducts.path(of: "pexip-fwd"))
            let result = Result { try body(keeper) }
            try keeper.stop()
            _ = try ChildProcess.run(["nft", "delete table inet refusals"])
            try result.get()
        }

        private static func load(_ rules: String) throws {
            try ChildProcess.run([
                "nft",
                "table inet refusals { chain input { type filter hook input priority 0; \(rules) }; }",
            ]).requireSuccess()
        }

        private static func send(_ count: Int = 1, to port: UInt16) throws {
            try ChildProcess.run([
                "bash", "-c",
                "for ((i = 0; i < \(count); i++)); do echo x >/dev/udp/127.0.0.1/\(port); done",
            ]).requireSuccess()
        }

        private static func packets(_ heard: Heard) -> [RefusedPacket] {
            heard.all.compactMap { if case .refused(let packet) = $0 { packet } else { nil } }
        }

        @Test("what our rules log is heard, and what others log there is told apart")
        func heard() throws {
            try Self.with { keeper in
                try Self.load(
                    """
                    udp dport 9001 log prefix "drop.in" group 7001 snaplen 128;
                    udp dport 9002 log prefix "drop.out.class" group 7001 snaplen 128;
                    udp dport 9003 log prefix "theirs" group 7001;
                    udp dport 9004 log group 7001;
                    """)
                // Nobody listens, and nothing is kept for whoever will.
                try Self.send(to: 9001)
                let heard = Heard()
                let listener = try RefusalListener(keeper.openLogGroup(7001)) { heard.add($0) }
                for port in UInt16(9001)...9004 { try Self.send(to: port) }
                #expect(waitUntil { heard.all.count == 4 })
                let packets = Self.packets(heard)
                #expect(packets.map(\.counter) == ["drop.in", "drop.out.class"])
                #expect(packets.map(\.direction) == [.inbound, .outbound])
                #expect(packets.allSatisfy { $0.source.description == "127.0.0.1" })
                #expect(packets.map { $0.transport?.ports?.destination } == [9001, 9002])
                #expect(heard.all.filter { $0 == .unreadable }.count == 2)
                withExtendedLifetime(listener) {}
            }
        }

        @Test("a group that somebody has is refused with what to do, and free again afterwards")
        func taken() throws {
            try Self.with { keeper in
                try Self.load("")
                let heard = Heard()
                var listener: RefusalListener? = try RefusalListener(keeper.openLogGroup(7002)) {
                    heard.add($0)
                }
                let error = #expect(throws: KernelError.self) {
                    _ = try keeper.openLogGroup(7002)
                }
                #expect(error?.code == .taken)
                #expect(
                    error?.description.contains("nflog group 7002 is another program's") == true)
                #expect(error?.description.contains("refusals.group") == true)
                // Others are free; nothing is left of the processes that opened them.
                for group in UInt16(7003)...7012 { _ = try keeper.openLogGroup(group) }
                let pid = keeper.passed.pid
                #expect(try ProcessTree.children(of: pid).filter(ProcessTree.isAlive).isEmpty)
                withExtendedLifetime(listener) {}
                listener = nil
                #expect(
                    waitUntil {
                        do {
                            _ = try keeper.openLogGroup(7002)
                            return true
                        } catch {
                            return false
                        }
                    })
            }
        }

        @Test("batches are read whole, and what did not fit is counted")
        func lost() throws {
            try Self.with { keeper in
                try Self.load("udp dport 9001 log prefix \"drop.in\" group 7001 snaplen 128;")
                let heard = Heard()
                let gate = Mutex(())
                // Nobody reads while this is held.
                var listener: RefusalListener?
                try gate.withLock { _ in
                    listener = try RefusalListener(keeper.openLogGroup(7001)) { event in
                        gate.withLock { _ in heard.add(event) }
                    }
                    try Self.send(4_000, to: 9001)
                }
                func lost() -> Int {
                    heard.all.reduce(0) {
                        if case .lost(let count) = $1 { $0 + Int(count) } else { $0 }
                    }
                }
                // The next one that is heard tells.
                let isComplete = try waitUntil {
                    try Self.send(to: 9001)
                    return lost() > 0
                }
                #expect(isComplete)
                // A loss is told before what was kept in the queue is read to its end.
                func sent() -> Int { Self.packets(heard).count + lost() }
                #expect(waitUntil { sent() >= 4_000 })
                #expect(sent() <= 4_200)
                #expect(!heard.all.contains { if case .failed = $0 { true } else { false } })
                withExtendedLifetime(listener) {}
            }
        }

        @Test("limits and logs that are not ours are foreign")
        func foreign() async throws {
            try await TestedKernel.with { kernel in
                let sampling = Sampling(counter: "drop.in", group: 5001, rate: 5)
                let rule = Rule([.protocolNumber(6)], nil, comment: "c", sampling: sampling)
                let texts = [
                    rule.text, rule.text.replacing("/second", with: "/minute"),
                    rule.text.replacing("burst 5 packets", with: "burst 6 packets"),
                    rule.text.replacing("5/second", with: "over 5/second"),
                    rule.text.replacing("snaplen 128", with: "snaplen 129"),
                    rule.text.replacing(" snaplen 128", with: ""),
                    rule.text.replacing("snaplen 128", with: "snaplen 128 queue-threshold 3"),
                    rule.text.replacing("prefix \"drop.in\" ", with: ""),
                    "limit rate 5/second burst 5 packets",
                    "log prefix \"drop.in\" group 5001 snaplen 128",
                    "limit rate 5/second burst 5 packets accept",
                    "limit rate 5/second burst 5 packets log prefix \"drop.in\" group 5001 snaplen 128 drop",
                ]
                let table = "pexip_fw_sampling"
                try ChildProcess.run(["nft", "add table inet \(table); add chain inet \(table) c"])
                    .requireSuccess()
                for text in texts {
                    try ChildProcess.run(["nft", "add rule inet \(table) c \(text)"])
                        .requireSuccess()
                }
                let rules = try await kernel.tables(compiled: [TableID(.inet, table)]).tables.first?
                    .chains.first?
                    .rules
                #expect(rules?.first == .known(rule))
                #expect(rules?.count == texts.count)
                for (text, rule) in zip(texts, rules ?? []).dropFirst() {
                    if case .known = rule { Issue.record("taken for ours: \(text)") }
                }
            }
        }
    }
}
