internal import Glibc
package import PortModel
package import SystemPackage

/// The addresses of this network namespace's interfaces, by which `enforce: auto` finds the node.
package enum HostAddresses {
    /// Of all interfaces, loopback and link-local addresses included.
    ///
    /// - Throws: the error of `getifaddrs(3)`.
    package static func current() throws(Errno) -> Set<IPAddress> {
        var addresses: Set<IPAddress> = []
        try forEach { entry in
            if let address = entry.ifa_addr.flatMap(address) { addresses.insert(address) }
        }
        return addresses
    }

    /// The addresses of each interface, also of those that have none.
    ///
    /// - Throws: the error of `getifaddrs(3)`.
    package static func byInterface() throws(Errno) -> [String: Set<IPAddress>] {
        var interfaces: [String: Set<IPAddress>] = [:]
        try forEach { entry in
            let name = String(cString: entry.ifa_name)
            let address = entry.ifa_addr.flatMap(address)
            interfaces[name, default: []].formUnion(address.map { [$0] } ?? [])
        }
        return interfaces
    }

    /// An interface has an entry for each of its addresses, and at least one.
    private static func forEach(_ body: (ifaddrs) -> Void) throws(Errno) {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { throw Errno(rawValue: errno) }
        defer { freeifaddrs(first) }
        var next = first
        while let entry = next {
            body(entry.pointee)
            next = entry.pointee.ifa_next
        }
    }

    private static func address(_ pointer: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        let raw = UnsafeRawPointer(pointer)
        switch Int32(pointer.pointee.sa_family) {
        case AF_INET:
            let bytes = raw.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
            return IPAddress(family: .ipv4, value: UInt128(UInt32(bigEndian: bytes)))
        case AF_INET6:
            let value = raw.loadUnaligned(
                fromByteOffset: MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) ?? 8,
                as: UInt128.self)
            return IPAddress(family: .ipv6, value: UInt128(bigEndian: value))
        default:
            return nil
        }
    }
}
