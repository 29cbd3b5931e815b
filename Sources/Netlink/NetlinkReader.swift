@preconcurrency internal import Dispatch
internal import LinuxSystem
internal import SystemPackage

/// Reads notifications from a socket on one queue.
///
/// Unchecked because the socket is touched on that queue only.
final class NetlinkReader: @unchecked Sendable {
    private let socket: NetlinkSocket

    init(_ socket: NetlinkSocket) { self.socket = socket }

    var descriptor: FileDescriptor { FileDescriptor(rawValue: socket.descriptor) }

    /// A paused source that hands every message to `onMessage` and the result of each reading to
    /// `afterReading`, both on `queue`. Keeps the reader.
    func source(
        queue: DispatchQueue,
        afterReading: @escaping @Sendable (Result<Void, KernelError>) -> Void,
        onMessage: @escaping @Sendable (borrowing NetlinkMessage) -> Void
    ) throws(KernelError) -> DescriptorSource {
        let descriptor: SharedDescriptor
        do {
            // The source closes its descriptor when dispatch has let go of it; libmnl closes its
            // own.
            descriptor = SharedDescriptor(
                OwnedDescriptor(
                    adopting: try FileDescriptor(rawValue: socket.descriptor).duplicate()))
        } catch {
            throw KernelError(.unavailable, "can't watch a netlink socket: \(error)")
        }
        return DescriptorSource(descriptor, .readable, queue: queue) { [self] in
            do throws(KernelError) {
                try socket.receive { message in onMessage(message) }
                afterReading(.success(()))
            } catch {
                afterReading(.failure(error))
            }
        }
    }
}
