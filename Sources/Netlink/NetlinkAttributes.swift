/// Netlink attributes that lie one after another (`struct nlattr`), valid only while the buffer that
/// they lie in is.
struct NetlinkAttributes {
    /// The bits of a type that say how the payload is to be understood: `NLA_F_NESTED` and
    /// `NLA_F_NET_BYTEORDER`.
    private static let flags: UInt16 = 0xc000
    private static let header = 4

    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Hands every attribute to `body`, up to the first whose length does not fit.
    ///
    /// - Returns: whether all fit.
    @discardableResult
    func forEach(_ body: (Int, NetlinkPayload) -> Void) -> Bool {
        var start = 0
        while start + Self.header <= bytes.count {
            let length = Int(bytes.loadUnaligned(fromByteOffset: start, as: UInt16.self))
            let type = bytes.loadUnaligned(fromByteOffset: start + 2, as: UInt16.self)
            guard length >= Self.header, length <= bytes.count - start else { return false }
            body(
                Int(type & ~Self.flags),
                NetlinkPayload(
                    bytes: UnsafeRawBufferPointer(
                        rebasing: bytes[(start + Self.header)..<(start + length)])))
            // Each begins at a multiple of four.
            start += (length + 3) & ~3
        }
        return start >= bytes.count
    }

    /// The first attribute of this type.
    subscript(_ type: some RawRepresentable<UInt32>) -> NetlinkPayload? {
        var found: NetlinkPayload?
        forEach { if found == nil, $0 == Int(type.rawValue) { found = $1 } }
        return found
    }
}

/// The contents of an attribute, valid only while the buffer that they lie in is.
struct NetlinkPayload {
    let bytes: UnsafeRawBufferPointer

    var nested: NetlinkAttributes { NetlinkAttributes(bytes) }

    /// As text, up to a NUL where there is one.
    var text: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    /// As a name by which to ask the kernel, which may be no text.
    var name: KernelName { KernelName(bytes: bytes.prefix { $0 != 0 }) }

    /// A number in network order, of this type's size; nil where the payload is of another.
    func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number? {
        guard bytes.count == MemoryLayout<Number>.size else { return nil }
        return Number(bigEndian: bytes.loadUnaligned(as: Number.self))
    }

    /// A 32-bit number in the host's order, as rtnetlink sends them.
    var hostNumber: UInt32? {
        guard bytes.count == MemoryLayout<UInt32>.size else { return nil }
        return bytes.loadUnaligned(as: UInt32.self)
    }
}

/// The name of an object as the kernel has it: any bytes but NUL.
package struct KernelName: Hashable, Sendable {
    /// Without the NUL at the end.
    package let bytes: [UInt8]

    /// - Parameter bytes: none of them NUL.
    package init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
    /// The name as UTF-8, as our own are.
    package init(_ text: String) { self.init(bytes: text.utf8) }

    /// Bytes that are no UTF-8 are replaced.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
}
