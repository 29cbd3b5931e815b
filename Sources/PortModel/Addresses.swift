internal import Glibc

/// The two address families.
package enum AddressFamily: String, Hashable, Sendable, CaseIterable, Codable {
    case ipv4
    case ipv6

    /// Length of an address in bits.
    package var bits: Int { self == .ipv4 ? 32 : 128 }
    fileprivate var highest: UInt128 { self == .ipv4 ? UInt128(UInt32.max) : .max }
    fileprivate var domain: Int32 { self == .ipv4 ? AF_INET : AF_INET6 }
}

/// An IPv4 or IPv6 address, without a zone.
package struct IPAddress: Hashable, Sendable {
    /// Also ``AddressFamily/ipv6`` for an IPv4-mapped address: see ``mapped``.
    package let family: AddressFamily
    /// The address as an integer in host order; IPv4 fills the low 32 bits.
    package let value: UInt128

    /// - Precondition: `value` fits the family.
    package init(family: AddressFamily, value: UInt128) {
        precondition(value <= family.highest)
        self.family = family
        self.value = value
    }

    /// Parses the numeric forms that `inet_pton(3)` takes; names and zones are refused.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        // inet_pton stops at a NUL, so "10.0.0.1\0x" would pass.
        guard !text.utf8.contains(0) else { return nil }
        let family: AddressFamily = text.utf8.contains(UInt8(ascii: ":")) ? .ipv6 : .ipv4
        // An IPv4 address fills the first four bytes.
        var bytes: UInt128 = 0
        guard inet_pton(family.domain, text, &bytes) == 1 else { return nil }
        self.init(family: family, value: bytes.bigEndian >> UInt128(128 - family.bits))
    }

    /// The address in network byte order: 4 or 16 bytes.
    package var bytes: [UInt8] {
        stride(from: family.bits - 8, through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: value >> UInt128($0))
        }
    }

    /// The IPv4 address that an IPv4-mapped one (`::ffff:0:0/96`, RFC 4291) stands for; nil of any
    /// other. Programs have it from sockets of both families; no packet does.
    package var mapped: IPAddress? {
        guard family == .ipv6, value >> 32 == 0xffff else { return nil }
        return IPAddress(family: .ipv4, value: value & UInt128(UInt32.max))
    }

    /// The reason, in words, for which no host can have it as its own unicast address; nil where
    /// one can.
    package var unusableAsHost: String? {
        switch family {
        case .ipv4:
            switch value >> 24 {
            case 0: "an address of \"this network\" (RFC 1122)"
            case 127: "a loopback address"
            case 224...239: "a multicast address"
            case 240...255: "a reserved or broadcast address"
            default: nil
            }
        case .ipv6:
            if value == 0 {
                "the unspecified address"
            } else if value == 1 {
                "the loopback address"
            } else if value >> 120 == 0xff {
                "a multicast address"
            } else if value >> 118 == 0x3fa {
                "a link-local address, which is not unique among nodes"
            } else if let mapped {
                "an IPv4-mapped address: write \(mapped)"
            } else {
                nil
            }
        }
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        var bytes = (value << UInt128(128 - family.bits)).bigEndian
        return String(unsafeUninitializedCapacity: Int(INET6_ADDRSTRLEN)) { text in
            let text = UnsafeMutableRawBufferPointer(text).bindMemory(to: CChar.self)
            guard let start = text.baseAddress,
                inet_ntop(family.domain, &bytes, start, socklen_t(text.count)) != nil
            else { preconditionFailure("inet_ntop refuses a valid address") }
            return strlen(start)
        }
    }
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, then by value.
    package static func < (a: Self, b: Self) -> Bool {
        a.family == b.family ? a.value < b.value : a.family == .ipv4
    }
}

/// Addresses of both families.
package struct AddressSet: Hashable, Sendable {
    /// The IPv4 members, as integers in host order.
    package private(set) var ipv4: IntervalSet<UInt32>
    /// The IPv6 members, as integers in host order.
    package private(set) var ipv6: IntervalSet<UInt128>

    /// The empty set.
    package init() {
        ipv4 = []
        ipv6 = []
    }

    /// The set of these single addresses, of either family.
    package init(_ addresses: some Sequence<IPAddress>) {
        self.init(ranges: addresses.map { $0...$0 })
    }

    /// The union of closed ranges; both ends of each are of one family.
    package init(ranges: some Sequence<ClosedRange<IPAddress>>) {
        var v4: [ClosedRange<UInt32>] = []
        var v6: [ClosedRange<UInt128>] = []
        for range in ranges {
            precondition(range.lowerBound.family == range.upperBound.family)
            switch range.lowerBound.family {
            case .ipv4: v4.append(UInt32(range.lowerBound.value)...UInt32(range.upperBound.value))
            case .ipv6: v6.append(range.lowerBound.value...range.upperBound.value)
            }
        }
        ipv4 = IntervalSet(v4)
        ipv6 = IntervalSet(v6)
    }

    /// Every address of both families.
    package static var all: Self {
        AddressSet(
            ranges: AddressFamily.allCases.map {
                IPAddress(family: $0, value: 0)...IPAddress(family: $0, value: $0.highest)
            })
    }

    /// Whether neither family has a member.
    package var isEmpty: Bool { ipv4.isEmpty && ipv6.isEmpty }

    /// The families of which there are members.
    package var families: Set<AddressFamily> {
        Set(AddressFamily.allCases.filter { $0 == .ipv4 ? !ipv4.isEmpty : !ipv6.isEmpty })
    }

    /// Whether the address is a member as it is: an IPv4-mapped one is looked for among IPv6.
    package func contains(_ address: IPAddress) -> Bool {
        switch address.family {
        case .ipv4: ipv4.contains(UInt32(address.value))
        case .ipv6: ipv6.contains(address.value)
        }
    }

    /// The members of either set, of both families.
    package func union(_ other: Self) -> Self { Self(ranges: ranges + other.ranges) }

    /// The members of one family.
    package func only(_ family: AddressFamily) -> Self {
        Self(ranges: ranges.filter { $0.lowerBound.family == family })
    }

    /// The members as sorted, disjoint closed ranges, IPv4 first.
    package var ranges: [ClosedRange<IPAddress>] {
        ipv4.intervals.map {
            IPAddress(
                family: .ipv4, value: UInt128($0.lowerBound))...IPAddress(
                    family: .ipv4, value: UInt128($0.upperBound))
        }
            + ipv6.intervals.map {
                IPAddress(
                    family: .ipv6, value: $0.lowerBound)...IPAddress(
                        family: .ipv6, value: $0.upperBound)
            }
    }

    /// Every single member, IPv4 first. For sets of single addresses only: a prefix has as many
    /// members as it has addresses.
    package var members: [IPAddress] {
        ranges.flatMap { range in
            (range.lowerBound.value...range.upperBound.value).map {
                IPAddress(family: range.lowerBound.family, value: $0)
            }
        }
    }

    /// The members of this set that are not in `other`.
    package func subtracting(_ other: Self) -> Self {
        var result = AddressSet()
        result.ipv4 = ipv4.intersection(other.ipv4.complement)
        result.ipv6 = ipv6.intersection(other.ipv6.complement)
        return result
    }

    /// The members as nftables and people write them: `10.0.0.1`, `10.0.0.0/8` or
    /// `10.0.0.5-10.0.0.9`, sorted, IPv4 first.
    package var elements: [String] { ranges.map(Self.text(of:)) }

    /// How many ``elements`` there are.
    package var elementCount: Int { ipv4.intervals.count + ipv6.intervals.count }

    /// The first of the ``elements``, without a look at the others.
    package func firstElements(_ count: Int) -> [String] {
        var first = AddressSet()
        first.ipv4 = ipv4.first(count)
        first.ipv6 = ipv6.first(count - first.ipv4.intervals.count)
        return first.elements
    }

    fileprivate static func text(of range: ClosedRange<IPAddress>) -> String {
        let low = range.lowerBound
        let high = range.upperBound
        if low == high { return low.description }
        // A prefix: aligned, and as long as a power of two. The span of ::/0 is 2^128 - 1.
        let span = high.value - low.value
        if span & (span &+ 1) == 0, low.value & span == 0 {
            return "\(low)/\(low.family.bits - (span &+ 1 == 0 ? 128 : span.trailingOnes))"
        }
        return "\(low)-\(high)"
    }
}

extension UInt128 {
    fileprivate var trailingOnes: Int { (~self).trailingZeroBitCount }
}

/// Why a text is not an address, a prefix or a range of addresses.
package struct AddressSyntaxError: Error, Equatable {
    /// The fault and its remedy, in words that follow the offending text.
    package let message: String
}

/// Parses `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS-ADDRESS`.
///
/// - Throws: when host bits are set, the length does not fit, the range is reversed, or the text is
///   none of the three forms.
package func parseAddressRange(
    _ text: String
) throws(AddressSyntaxError) -> ClosedRange<IPAddress> {
    if let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) {
        guard let address = IPAddress(text[..<slash]) else {
            throw AddressSyntaxError(message: "is not an address and prefix length")
        }
        let digits = text[text.utf8.index(after: slash)...]
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(digits),
            length <= address.family.bits
        else {
            throw AddressSyntaxError(
                message: "has no prefix length of 0 to \(address.family.bits) after the slash")
        }
        let hostBits: UInt128 =
            length == 0
            ? address.family.highest : address.family.highest >> UInt128(length)
        guard address.value & hostBits == 0 else {
            let network = IPAddress(family: address.family, value: address.value & ~hostBits)
            throw AddressSyntaxError(
                message:
                    "has bits set after its prefix length: write \(network)/\(length) for the network or \(address) for the one address"
            )
        }
        return address...IPAddress(family: address.family, value: address.value | hostBits)
    }
    if let dash = text.utf8.firstIndex(of: UInt8(ascii: "-")) {
        guard let low = IPAddress(text[..<dash]),
            let high = IPAddress(text[text.utf8.index(after: dash)...])
        else { throw AddressSyntaxError(message: "is not a range of two addresses") }
        guard low.family == high.family else {
            throw AddressSyntaxError(message: "mixes IPv4 and IPv6")
        }
        guard low <= high else {
            throw AddressSyntaxError(message: "is reversed: write \(high)-\(low)")
        }
        return low...high
    }
    guard let address = IPAddress(text) else {
        throw AddressSyntaxError(
            message: "is not an IPv4 or IPv6 address, a prefix or a range (names are not looked up)"
        )
    }
    return address...address
}

/// Parses addresses that somebody names as those of packets: as ``parseAddressRange(_:)``, without
/// IPv4-mapped ones, which would name nobody. A range that has more than these, as `::/0`, may have
/// them too.
///
/// - Throws: as ``parseAddressRange(_:)``, and where an end is IPv4-mapped.
package func parsePeerRange(
    _ text: String
) throws(AddressSyntaxError) -> ClosedRange<IPAddress> {
    let range = try parseAddressRange(text)
    switch (range.lowerBound.mapped, range.upperBound.mapped) {
    case (nil, nil): return range
    case (let low?, let high?):
        let isOne = low == high
        throw AddressSyntaxError(
            message:
                "\(isOne ? "is an IPv4-mapped address" : "has IPv4-mapped addresses"), which no packet has: write \(AddressSet.text(of: low...high))"
        )
    case (.some, nil), (nil, .some):
        throw AddressSyntaxError(
            message:
                "has an end among IPv4-mapped addresses, which no packet has: write IPv4 addresses as such, and end the range outside ::ffff:0:0/96"
        )
    }
}

// MARK: As text

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = IPAddress(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not an IP address")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension AddressSet: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        var ranges: [ClosedRange<IPAddress>] = []
        for element in try container.decode([String].self) {
            do throws(AddressSyntaxError) {
                ranges.append(try parseAddressRange(element))
            } catch {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "\"\(element)\" \(error.message)")
            }
        }
        self.init(ranges: ranges)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(elements)
    }
}
