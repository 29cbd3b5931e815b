import PortModel
import Testing

@Suite("Interval sets")
struct IntervalSetTests {
    @Test(
        "the representation is canonical",
        arguments: [
            ([3...5, 1...2], [1...5]), ([1...3, 2...9], [1...9]),
            ([5...5, 1...1], [1...1, 5...5]),
            ([0...65535, 7...7], [0...65535]), ([65535...65535, 0...65534], [0...65535]), ([], []),
        ] as [([ClosedRange<UInt16>], [ClosedRange<UInt16>])])
    func canonical(_ given: [ClosedRange<UInt16>], _ expected: [ClosedRange<UInt16>]) {
        #expect(PortSet(given).intervals == expected)
    }

    @Test("operations agree with membership, value by value")
    func operations() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let sets = (0..<2).map { _ in
                IntervalSet<UInt8>(
                    (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        let low = UInt8.random(in: 0...255, using: &random)
                        return low...UInt8.random(in: low...255, using: &random)
                    })
            }
            let (a, b) = (sets[0], sets[1])
            for value in UInt8.min...UInt8.max {
                #expect(a.union(b).contains(value) == (a.contains(value) || b.contains(value)))
                #expect(
                    a.intersection(b).contains(value) == (a.contains(value) && b.contains(value)))
                #expect(a.complement.contains(value) == !a.contains(value))
            }
            #expect(a.complement.complement == a)
        }
    }
}

@Suite("Addresses")
struct AddressTests {
    @Test(
        "text is parsed and printed",
        arguments: [
            ("10.0.0.1", "10.0.0.1"), ("2001:DB8::0:1", "2001:db8::1"), ("::", "::"),
            ("255.255.255.255", "255.255.255.255"),
        ])
    func printed(_ text: String, _ expected: String) {
        #expect(IPAddress(text)?.description == expected)
    }

    @Test(
        "what is no numeric address is refused",
        arguments: [
            "", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", "10.0.0.1\0x", "fe80::1%eth0",
            "example.org", "1:2:3:4:5:6:7:8:9", "::ffff:10.0.0.999",
        ])
    func refused(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test(
        "sets print as prefixes where they are",
        arguments: [
            ["10.0.0.0/8"], ["10.0.0.5-10.0.0.9"], ["0.0.0.0/0"], ["::/0"], ["10.0.0.1"],
            ["2001:db8::/32"], ["10.0.0.0/8", "2001:db8::5-2001:db8::7"],
        ])
    func elements(_ texts: [String]) throws {
        let set = AddressSet(ranges: try texts.map { try parseAddressRange($0) })
        #expect(set.elements == texts)
    }

    @Test(
        "a wrong range says what would be right",
        arguments: [
            ("10.0.0.1/8", "write 10.0.0.0/8 for the network or 10.0.0.1 for the one address"),
            ("10.0.0.0/33", "0 to 32"), ("10.0.0.0/", "0 to 32"), ("::/+1", "0 to 128"),
            ("10.0.0.9-10.0.0.1", "write 10.0.0.1-10.0.0.9"), ("10.0.0.1-::1", "mixes"),
            ("host/8", "is not an address"), ("router", "names are not looked up"),
            ("10.0.0.0/\u{301}24", "0 to 32"), ("10.0.0.1-\u{301}10.0.0.2", "is not a range"),
        ])
    func wrong(_ text: String, _ hint: String) {
        let error = #expect(throws: AddressSyntaxError.self) { try parseAddressRange(text) }
        #expect(error?.message.contains(hint) == true)
    }
}
