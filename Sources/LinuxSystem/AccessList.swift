/// The users and groups that may change a file by its access control list, read from the bytes that
/// the kernel has of it.
enum AccessList {
    /// Somebody who may write, or give himself or others the right to.
    enum Writer: Hashable, Sendable {
        case user(UInt32)
        case group(UInt32)
        /// The file's own group.
        case owningGroup
        case everybody
        /// As a server of NFS names somebody.
        case named(String)
        /// The list is none of those that are known here.
        case unknown
    }

    // MARK: POSIX

    /// `system.posix_acl_access`: acl(5), in the kernel's `struct posix_acl_xattr_header` and
    /// entries. The mask is taken into account, the owner's own rights are left out.
    static func posix(_ bytes: [UInt8]) -> [Writer] {
        guard bytes.count >= 4, (bytes.count - 4).isMultiple(of: 8), number(bytes, at: 0) == 2
        else {
            return [.unknown]
        }
        let entries = stride(from: 4, to: bytes.count, by: 8).map { offset in
            let kind = number(bytes, at: offset)
            return (
                tag: kind & 0xffff, isWritable: kind >> 16 & 2 != 0,
                id: number(bytes, at: offset + 4)
            )
        }
        let maskForbids = entries.contains { $0.tag == 0x10 && !$0.isWritable }
        return entries.filter(\.isWritable).compactMap { entry -> Writer? in
            switch entry.tag {
            case 0x01, 0x10: nil
            case 0x02: maskForbids ? nil : .user(entry.id)
            case 0x04: maskForbids ? nil : .owningGroup
            case 0x08: maskForbids ? nil : .group(entry.id)
            case 0x20: .everybody
            default: .unknown
            }
        }
    }

    /// In little-endian order, whatever the processor's.
    private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    // MARK: NFSv4

    /// Rights of RFC 8881, section 6.2.1.3, by which a file can be made another one: to write and
    /// append data (in a directory: add files and directories), to delete children of it or itself,
    /// to write its list and its owner.
    private static let writing: UInt32 = 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000

    /// `system.nfs4_acl`: a count and the entries in XDR, as RFC 8881 has them. What an entry denies
    /// is not weighed against what another allows.
    static func nfs4(_ bytes: [UInt8]) -> [Writer] {
        var reader = XDRReader(bytes)
        guard let count = reader.number() else { return [.unknown] }
        var writers: [Writer] = []
        for _ in 0..<count {
            guard let type = reader.number(), let flags = reader.number(),
                let mask = reader.number(), let who = reader.opaque()
            else { return [.unknown] }
            let allows = type == 0
            let isForChildrenOnly = flags & 0x8 != 0
            guard allows, !isForChildrenOnly, mask & writing != 0 else { continue }
            switch String(decoding: who, as: UTF8.self) {
            case "OWNER@": break
            case "GROUP@": writers.append(.owningGroup)
            case "EVERYONE@": writers.append(.everybody)
            case let name:
                let isGroup = flags & 0x40 != 0
                if let id = UInt32(name) {
                    writers.append(isGroup ? .group(id) : .user(id))
                } else if name.hasPrefix("root@") {
                    writers.append(isGroup ? .group(0) : .user(0))
                } else {
                    writers.append(.named(name))
                }
            }
        }
        return reader.isAtEnd ? writers : [.unknown]
    }
}

/// Reads numbers and byte strings of RFC 4506; nil where they end too early.
private struct XDRReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number() -> UInt32? {
        take(4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    mutating func opaque() -> ArraySlice<UInt8>? {
        guard let length = number(), let bytes = take(Int(length)),
            take(-Int(length) & 3) != nil
        else { return nil }
        return bytes
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
