import Glibc
import Policy
import PortModel
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct TopTalkersTests {
    private static func packet(
        _ host: UInt32, _ transport: Transport? = .tcp(source: 55_000, destination: 22),
        counter: String = "drop.in", number: UInt8 = 6
    ) -> RefusedPacket {
        guard
            let packet = RefusedPacket(
                counter: counter, from: IPAddress(family: .ipv4, value: UInt128(host)),
                to: hostAddress, protocolNumber: number, transport)
        else { preconditionFailure("\(counter) is no counter of refusals") }
        return packet
    }

    @Test func talkersDifferByAllButTheSourcePort() {
        var talkers = TopTalkers()
        let packets = [
            Self.packet(1), Self.packet(1, .tcp(source: 9, destination: 22)), Self.packet(2),
            Self.packet(1, .tcp(source: 9, destination: 23)),
            Self.packet(1, .udp(source: 9, destination: 22), number: 17),
            Self.packet(1, .icmp(type: 8), number: 1), Self.packet(1, .icmp(type: 5), number: 1),
            Self.packet(1, .esp, number: 50), Self.packet(1, .other(47), number: 47),
            Self.packet(1, nil), Self.packet(1, counter: "drop.in.invalid"),
        ]
        for (index, packet) in packets.enumerated() {
            talkers.add(packet, at: Timestamp(seconds: Int64(index)))
        }
        #expect(talkers.entries.map(\.samples) == [2] + .init(repeating: 1, count: 9))
        let first = talkers.entries[0]
        #expect(first.first.seconds == 0 && first.last.seconds == 1)
        #expect(first.newest == packets[1])
        #expect(first.excess == 0)
    }

    /// The same, counted without any bound.
    @Test(arguments: [1, 2, 3])
    func whileTheyFitTheNumbersAreExactAndInOrder(seed: UInt64) {
        var random = Numbers(state: seed)
        var talkers = TopTalkers()
        var counts: [UInt32: UInt64] = [:]
        for _ in 0..<20_000 {
            // Some talk much more than others.
            let host = random.next(below: random.next(below: UInt32(TopTalkers.capacity)) + 1)
            talkers.add(Self.packet(host), at: Timestamp(seconds: 0))
            counts[host, default: 0] += 1
        }
        #expect(talkers.entries.count == counts.count)
        for entry in talkers.entries {
            #expect(entry.samples == counts[UInt32(entry.talker.source.value)])
            #expect(entry.excess == 0)
        }
        #expect(talkers.entries.map(\.samples) == talkers.entries.map(\.samples).sorted(by: >))
    }

    @Test(arguments: [4, 5, 6])
    func aFloodFromEverywhereNeverHidesWhoTalksMost(seed: UInt64) {
        var random = Numbers(state: seed)
        var talkers = TopTalkers()
        var counts: [UInt32: UInt64] = [:]
        let total = 100_000
        for index in 0..<total {
            // One in 100 each of five; all others are never heard again.
            let host =
                index % 20 == 0 ? random.next(below: 5) : 1_000 + random.next(below: .max - 1_000)
            talkers.add(Self.packet(host), at: Timestamp(seconds: Int64(index)))
            counts[host, default: 0] += 1
        }
        #expect(talkers.entries.count == TopTalkers.capacity)
        #expect(talkers.entries.reduce(0) { $0 + Int($1.samples) } == total)
        #expect(
            Set(talkers.entries.prefix(5).map { $0.talker.source.value }) == [0, 1, 2, 3, 4])
        for entry in talkers.entries {
            let real = counts[UInt32(entry.talker.source.value)] ?? 0
            #expect(entry.samples >= real && entry.samples - entry.excess <= real)
            #expect(entry.excess <= UInt64(total / TopTalkers.capacity))
        }
        #expect(talkers.entries.map(\.samples) == talkers.entries.map(\.samples).sorted(by: >))
    }

    private static var processorTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Fast enough that no flood of samples, which is limited itself, keeps anybody busy.
    @Test func takesTheSameTimeHoweverManyTheyAre() {
        var talkers = TopTalkers()
        // Of this thread alone: other tests may run.
        let start = Self.processorTime
        for host in 0..<UInt32(200_000) {
            talkers.add(Self.packet(host), at: Timestamp(seconds: 0))
        }
        #expect(Self.processorTime - start < .seconds(20))
        #expect(talkers.entries.count == TopTalkers.capacity)
    }
}

/// xorshift64*.
private struct Numbers {
    var state: UInt64

    mutating func next(below bound: UInt32) -> UInt32 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return UInt32((state &* 0x2545_f491_4f6c_dd1d) >> 32) % bound
    }
}
