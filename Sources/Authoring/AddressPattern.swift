internal import PortModel

/// Regular expressions, without anchors, for what the parser takes for addresses: the forms of
/// `inet_pton(3)`.
enum AddressPattern {
    private static let octet = decimalPattern(0...255)
    private static let group = "[0-9a-fA-F]{1,4}"

    static let ipv4 = "(?:\(octet)\\.){3}\(octet)"

    /// The forms of RFC 3986, which are those of RFC 4291: as many groups as there are, `::` in
    /// place of one or more of them, and an IPv4 address in place of the last two.
    static let ipv6: String = {
        let last32 = "(?:\(group):\(group)|\(ipv4))"
        let whole = "(?:\(group):){6}\(last32)"
        let shortened = (0...7).map { before in
            // Behind `::` exactly so many groups stand; before it, at most the others.
            let ahead = before == 0 ? "" : "(?:(?:\(group):){0,\(before - 1)}\(group))?"
            let behind =
                switch 7 - before {
                case 0: ""
                case 1: group
                case 2: last32
                case let count: "(?:\(group):){\(count - 2)}\(last32)"
                }
            return "\(ahead)::\(behind)"
        }
        return "(?:\(([whole] + shortened).joined(separator: "|")))"
    }()

    /// Before an address: it is no IPv4-mapped one as these are usually written. Of their other
    /// spellings the parser knows.
    static let notMapped = "(?!::[fF]{4}:(?:\(group):\(group)|\(ipv4))(?![0-9a-fA-F:.]))"

    /// `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS-ADDRESS`.
    static let range: String = {
        let families = AddressFamily.allCases.map { family in
            let address = (family == .ipv6 ? notMapped : "") + pattern(of: family)
            let length = "/0*\(decimalPattern(0...family.bits))"
            return "\(address)(?:\(length)|-\(address))?"
        }
        return "(?:\(families.joined(separator: "|")))"
    }()

    /// An address that a node can have, as far as its first group or octet tells.
    static let host: String = {
        let firstOctets = [1...126, 128...223].map(decimalPattern).joined(separator: "|")
        let hostV4 = "(?:\(firstOctets))(?:\\.\(octet)){3}"
        // Link-local and multicast addresses, whose first group always has four digits.
        let hostV6 = "\(notMapped)(?!(?:[fF][eE][89abAB]|[fF][fF][0-9a-fA-F])[0-9a-fA-F]:)\(ipv6)"
        return "(?:\(hostV4)|\(hostV6))"
    }()

    static func pattern(of family: AddressFamily) -> String {
        switch family {
        case .ipv4: ipv4
        case .ipv6: ipv6
        }
    }
}
