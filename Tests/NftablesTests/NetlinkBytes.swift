/// Attributes as the kernel writes them.
enum NetlinkBytes {
    static func attribute(_ type: UInt16, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = UInt16(length ?? payload.count + 4)
        let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
        return [UInt8(length & 0xff), UInt8(length >> 8), UInt8(type & 0xff), UInt8(type >> 8)]
            + payload + padding
    }
}
