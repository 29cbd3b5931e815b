internal import CMnl
@preconcurrency internal import Dispatch
internal import LinuxSystem

/// Tells when addresses are added to or removed from interfaces of this network namespace.
package final class AddressListener: Sendable {
    /// One element for each reading that brought changes; which ones is for the consumer to look
    /// up. Ends when the listener fails.
    package let changes: AsyncStream<Void>
    private let source: DescriptorSource

    /// Listens from this moment on; needs no privilege.
    ///
    /// - Throws: where no netlink socket can be opened or watched.
    package init() throws(KernelError) {
        let socket = try NetlinkSocket(
            bus: NETLINK_ROUTE,
            groups: 1 << UInt32(RTNLGRP_IPV4_IFADDR.rawValue - 1)
                | 1 << UInt32(RTNLGRP_IPV6_IFADDR.rawValue - 1))
        let (changes, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.changes = changes
        let reader = NetlinkReader(socket)
        source = try reader.source(queue: DispatchQueue(label: "addresses")) { result in
            switch result {
            case .success: continuation.yield()
            // Lost notifications are changes too.
            case .failure(let error) where error.code == .overflow: continuation.yield()
            case .failure: continuation.finish()
            }
        } onMessage: { _ in
        }
        source.resume()
    }

    deinit { source.cancel() }
}
