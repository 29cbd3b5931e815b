internal import CMnl
internal import Glibc
package import PortModel

/// Asks the kernel for its routes to addresses, by rtnetlink, which needs no privilege.
package final class RouteLookup {
    private let socket: NetlinkSocket

    /// - Throws: when netlink can't be used.
    package init() throws(KernelError) { socket = try NetlinkSocket(bus: NETLINK_ROUTE) }

    /// Whether a packet to the address would be sent anywhere.
    ///
    /// - Throws: when netlink can't be used; not where there is no route.
    package func hasRoute(to address: IPAddress) throws(KernelError) -> Bool {
        try route(to: address) != nil
    }

    /// The interface by which a packet to the address would be sent, `lo` where it is this host's
    /// own; nil where there is no route.
    ///
    /// - Throws: when netlink can't be used; not where there is no route.
    package func interface(to address: IPAddress) throws(KernelError) -> String? {
        guard let index = try route(to: address) else { return nil }
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        // One that is gone since leads nowhere.
        guard if_indextoname(index, &name) != nil else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
    }

    /// The index of the interface that a packet would leave by; nil where it would not.
    private func route(to address: IPAddress) throws(KernelError) -> UInt32? {
        do throws(KernelError) {
            let route = try socket.route(
                to: address.bytes, family: address.family == .ipv4 ? AF_INET : AF_INET6)
            let leads = route.type == UInt32(RTN_UNICAST) || route.type == UInt32(RTN_LOCAL)
            return leads ? route.interface : nil
        } catch {
            if error.code == .unreachable { return nil }
            throw error
        }
    }
}
