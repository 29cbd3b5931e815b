import DeploymentGenerator
import PortModel
import Testing

@testable import Authoring

@Suite struct PatternTests {
    private func matches(_ text: String, _ pattern: String) throws -> Bool {
        try Regex("^\(pattern)$").firstMatch(in: text) != nil
    }

    @Test(arguments: [
        0...0, 0...9, 1...9, 5...17, 1...126, 128...223, 0...255, 0...32, 10...99, 19...321,
        1...1_440, 995...1_005, 10...86_400, 1...65_535,
    ])
    func decimalRanges(range: ClosedRange<Int>) throws {
        let regex = try Regex("^\(decimalPattern(range))$")
        let ends = [0, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 99_999, 100_000]
        let near = (ends + [range.lowerBound, range.upperBound]).flatMap { $0 - 2...$0 + 2 }
        // All of a small range, and of a large one what is at its ends and at powers of ten.
        for number in Set(near + (range.count < 2_000 ? Array(0...2_000) : [])) where number >= 0 {
            #expect(("\(number)".firstMatch(of: regex) != nil) == range.contains(number))
            #expect("0\(number)".firstMatch(of: regex) == nil)
        }
        #expect("".firstMatch(of: regex) == nil)
    }

    static let forms = [
        "10.0.0.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "01.0.0.1", "1.2.3", "1.2.3.4.5",
        "1.2.3.", " 1.2.3.4", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "1::2::3", ":::", ":1", "1:", "12345::", "g::", "::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5::1.2.3.4", "::1.2.3",
        "1.2.3.4::",
        "2001:DB8::aB", "fe80::1%eth0", "::ffff:10.0.0.1", "",
    ]

    @Test(arguments: forms) func addresses(text: String) throws {
        let isAddress = IPAddress(text) != nil
        let families = try [AddressPattern.ipv4, AddressPattern.ipv6].count {
            try matches(text, $0)
        }
        #expect(families == (isAddress ? 1 : 0))
    }

    /// Random texts of the characters that addresses have.
    @Test(arguments: [1, 2] as [UInt64]) func addressesByChance(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let v6 = try Regex("^\(AddressPattern.ipv6)$")
        var valid = 0
        for round in 0..<4_000 {
            let groups = (0..<Int.random(in: 2...9, using: &random)).map { _ in
                random.pick(["", "0", "a", "1f", "ffff", "12345", "1.2.3.4"])
            }
            let text = groups.joined(separator: ":")
            let isAddress = IPAddress(text)?.family == .ipv6
            valid += isAddress ? 1 : 0
            #expect(
                (text.firstMatch(of: v6) != nil) == isAddress,
                "seed \(seed), round \(round): \(text)")
        }
        #expect(valid > 20, "seed \(seed)")
    }

    @Test(arguments: [
        ("10.0.0.0/8", true), ("10.0.0.0/08", true), ("10.0.0.0/33", false), ("::/128", true),
        ("::/129", false), ("10.0.0.1-10.0.0.2", true), ("::1-::2", true),
        ("10.0.0.1-::2", false), ("10.0.0.0/8-10.0.0.1", false), ("10.0.0.1-", false),
        ("::ffff:10.0.0.1", false), ("::FFFF:a00:1", false), ("::ffff:1", true),
        ("::ffff:10.0.0.0/104", false), ("::ffff:0:0/96", false), ("::/0", true),
        ("::ffff:10.0.0.1-::ffff:10.0.0.9", false), ("::1-::ffff:10.0.0.9", false),
        ("::ffff:1:2:3", true), ("2001:db8::ffff:10.0.0.1", true),
    ])
    func ranges(text: String, isRange: Bool) throws {
        #expect(try matches(text, AddressPattern.range) == isRange)
        var parsed = true
        do throws(AddressSyntaxError) { _ = try parsePeerRange(text) } catch { parsed = false }
        #expect(parsed == isRange)
    }

    /// What no host can have, but for IPv6 addresses that have many spellings.
    @Test(arguments: [
        "0.0.0.1", "1.0.0.0", "126.255.255.255", "127.0.0.1", "128.0.0.0", "223.255.255.255",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "fe80::1", "FEBF::1", "fec0::1", "fe7f::1",
        "ff00::1", "FF02::1", "ff::1", "fe::1", "feff::1", "::ffff:10.0.0.1", "::FFFF:a00:1",
        "::ffff:1", "::ffff:1:2:3",
    ])
    func hosts(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(try matches(text, AddressPattern.host) == (address.unusableAsHost == nil))
    }
}
