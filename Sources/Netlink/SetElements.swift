internal import CMnl
package import PortModel
package import Ruleset

/// The elements of a set as the kernel lists them (`NFTA_SET_ELEM_LIST_ELEMENTS`), one after another.
///
/// Read by netlink and not from libnftables' listing: to write and read those of 1,000 nodes as JSON
/// took a quarter of what their apply did.
package struct SetElements {
    /// Whole attributes, as they came.
    package let bytes: [UInt8]

    /// - Parameter bytes: whole attributes, as the kernel sent them.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: whether the bytes are whole attributes.
    private func forEach(_ body: (SetElement) -> Void) -> Bool {
        bytes.withUnsafeBytes { bytes in
            NetlinkAttributes(bytes).forEach { _, payload in body(SetElement(payload.nested)) }
        }
    }

    /// The single addresses, with their counters where they have some; nil where anything else is
    /// among them.
    package func addresses(
        _ family: AddressFamily
    ) -> (addresses: AddressSet, counters: [IPAddress: CounterValue])? {
        var addresses: [IPAddress] = []
        var counters: [IPAddress: CounterValue] = [:]
        var isForeign = false
        let isWhole = forEach { element in
            guard element.flags == 0, let address = element.address(family) else {
                isForeign = true
                return
            }
            addresses.append(address)
            if let counter = element.counter { counters[address] = counter }
        }
        return isWhole && !isForeign ? (AddressSet(addresses), counters) : nil
    }

    /// The addresses of a set of intervals, each of which is an element where it begins and one
    /// behind its end, but for one that ends with the last address; nil where anything else is among
    /// them.
    package func intervals(_ family: AddressFamily) -> AddressSet? {
        var bounds: [(value: UInt128, isEnd: Bool)] = []
        var isForeign = false
        let isWhole = forEach { element in
            let isEnd = element.flags == UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue)
            guard isEnd || element.flags == 0, let address = element.address(family) else {
                isForeign = true
                return
            }
            bounds.append((address.value, isEnd))
        }
        guard isWhole, !isForeign else { return nil }
        // The kernel lists them in no order that is promised.
        bounds.sort { $0.value == $1.value ? $0.isEnd && !$1.isEnd : $0.value < $1.value }
        var ranges: [ClosedRange<IPAddress>] = []
        var start: IPAddress?
        for (value, isEnd) in bounds {
            if isEnd {
                // libnftables puts one at zero where nothing begins there.
                if let first = start {
                    ranges.append(first...IPAddress(family: family, value: value - 1))
                }
                start = nil
            } else {
                if start != nil { return nil }
                start = IPAddress(family: family, value: value)
            }
        }
        if let start { ranges.append(start...IPAddress.last(of: family)) }
        return AddressSet(ranges: ranges)
    }

    /// The pairs that packets noted, with the seconds since they did so last. Elements that packets
    /// can't have made are left out.
    package func noted(_ family: AddressFamily, _ limits: NoteLimits) -> [AddressPair: Int] {
        var noted: [AddressPair: Int] = [:]
        _ = forEach { element in
            guard let pair = element.pair(family), let left = element.secondsLeft else { return }
            noted[pair] = max(0, limits.seconds - left)
        }
        return noted
    }
}

/// One element, valid only while the buffer that it lies in is.
private struct SetElement {
    /// In network order; what is not of a family's addresses has another length.
    private var key: NetlinkPayload?
    /// `NFT_SET_ELEM_…`.
    private(set) var flags: UInt32 = 0
    private(set) var counter: CounterValue?
    /// nil for an element that stays.
    private(set) var secondsLeft: Int?

    init(_ attributes: NetlinkAttributes) {
        attributes.forEach { type, payload in
            switch UInt32(type) {
            case NFTA_SET_ELEM_KEY.rawValue: key = payload.nested[NFTA_DATA_VALUE]
            case NFTA_SET_ELEM_FLAGS.rawValue: flags = payload.number() ?? .max
            case NFTA_SET_ELEM_EXPR.rawValue: counter = CounterValue(payload.nested)
            case NFTA_SET_ELEM_EXPIRATION.rawValue:
                secondsLeft = payload.number(UInt64.self).map { Int(clamping: $0 / 1_000) }
            default: break
            }
        }
    }

    func address(_ family: AddressFamily) -> IPAddress? { key.flatMap { IPAddress($0, family) } }

    func pair(_ family: AddressFamily) -> AddressPair? {
        let length = family.bits / 8
        guard let bytes = key?.bytes, bytes.count == 2 * length,
            let source = IPAddress(
                NetlinkPayload(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<length])), family),
            let destination = IPAddress(
                NetlinkPayload(bytes: UnsafeRawBufferPointer(rebasing: bytes[length...])), family)
        else { return nil }
        return AddressPair(from: source, to: destination)
    }
}

extension IPAddress {
    /// nil where the payload is no address of this family.
    fileprivate init?(_ payload: NetlinkPayload, _ family: AddressFamily) {
        let value =
            switch family {
            case .ipv4: payload.number(UInt32.self).map { UInt128($0) }
            case .ipv6: payload.number(UInt128.self)
            }
        guard let value else { return nil }
        self.init(family: family, value: value)
    }

    fileprivate static func last(of family: AddressFamily) -> IPAddress {
        IPAddress(family: family, value: UInt128.max >> UInt128(128 - family.bits))
    }
}

extension CounterValue {
    /// nil where the expression is no counter.
    fileprivate init?(_ expression: NetlinkAttributes) {
        guard expression[NFTA_EXPR_NAME]?.text == "counter",
            let data = expression[NFTA_EXPR_DATA]?.nested,
            let packets: UInt64 = data[NFTA_COUNTER_PACKETS]?.number(),
            let bytes: UInt64 = data[NFTA_COUNTER_BYTES]?.number()
        else { return nil }
        self.init(packets: packets, bytes: bytes)
    }
}
