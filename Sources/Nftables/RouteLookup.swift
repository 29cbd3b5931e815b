internal import CMnl
package import PortModel

/// Asks the kernel for its route to an address, by rtnetlink, which needs no privilege.
package enum RouteLookup {
    /// Whether a packet to the address would be sent anywhere.
    ///
    /// - Throws: when netlink can't be used; not where there is no route.
    package static func hasRoute(to address: IPAddress) throws(NftablesError) -> Bool {
        let socket = try NetlinkSocket(bus: NETLINK_ROUTE)
        do throws(NftablesError) {
            return try socket.route(
                to: address.bytes, family: address.family == .ipv4 ? AF_INET : AF_INET6)
        } catch {
            if error.code == .unreachable { return false }
            throw error
        }
    }
}
