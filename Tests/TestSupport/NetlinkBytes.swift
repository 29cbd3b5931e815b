internal import CMnl

/// Attributes as the kernel writes them.
package enum NetlinkBytes {
    package static func attribute(_ type: UInt16, _ payload: [UInt8], length: Int? = nil) -> [UInt8]
    {
        let length = UInt16(length ?? payload.count + 4)
        let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
        return [UInt8(length & 0xff), UInt8(length >> 8), UInt8(type & 0xff), UInt8(type >> 8)]
            + payload + padding
    }

    /// An element of a set, with a key in network order.
    ///
    /// - Parameters:
    ///   - left: milliseconds until it goes.
    ///   - expression: its name, and its data.
    package static func setElement(
        _ key: [UInt8], flags: UInt32? = nil, left: UInt64? = nil,
        expression: (name: String, data: [UInt8])? = nil
    ) -> [UInt8] {
        func attribute(_ type: some RawRepresentable<UInt32>, _ payload: [UInt8]) -> [UInt8] {
            Self.attribute(UInt16(type.rawValue), payload)
        }
        func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: number.bigEndian) { Array($0) }
        }
        var content = attribute(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key))
        if let flags { content += attribute(NFTA_SET_ELEM_FLAGS, bytes(flags)) }
        if let left { content += attribute(NFTA_SET_ELEM_EXPIRATION, bytes(left)) }
        if let expression {
            content += attribute(
                NFTA_SET_ELEM_EXPR,
                attribute(NFTA_EXPR_NAME, Array(expression.name.utf8) + [0])
                    + attribute(NFTA_EXPR_DATA, expression.data))
        }
        return Self.attribute(1 | 0x8000, content)
    }
}
