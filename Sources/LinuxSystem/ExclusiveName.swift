internal import CLinux
@preconcurrency internal import Dispatch
internal import Glibc
internal import Synchronization
package import SystemPackage

/// An abstract name of a Unix socket, which one process of a network namespace has at a time: it needs
/// no file system, and goes with the process however that ends.
///
/// Any user may take any name. Its holder is known by the credentials that the kernel kept when it
/// was taken.
package final class ExclusiveName: Sendable {
    /// Of those who ask for the holder, whom nobody answers.
    private static let backlog: Int32 = 64
    /// How long it waits before it looks at who asks next: whoever asks without end costs little.
    private static let pause: UInt32 = 100_000

    private let shared: SharedDescriptor
    private let source = Mutex<DescriptorSource?>(nil)

    /// The socket that holds the name.
    package var descriptor: FileDescriptor { shared.descriptor }

    /// Goes on with a name that a program took which this process was before.
    package init(adopting descriptor: FileDescriptor) {
        shared = SharedDescriptor(OwnedDescriptor(adopting: descriptor))
    }

    /// Takes the name, without the `@` that `ss` shows before it; nil where somebody has it.
    ///
    /// - Throws: ``SystemError``.
    package init?(_ name: String) throws(SystemError) {
        let address = try UnixAddress("@" + name)
        let owned = try UnixSocket.stream()
        let raw = owned.descriptor.rawValue
        do throws(SystemError) {
            try systemCall("bind", address.description) {
                address.withPointer { bind(raw, $0, $1) }
            }
        } catch {
            if error.errno == .addressInUse { return nil }
            throw error
        }
        try systemCall("fcntl", address.description) { fcntl(raw, F_SETFL, O_NONBLOCK) }
        try systemCall("listen", address.description) { listen(raw, Self.backlog) }
        shared = SharedDescriptor(owned)
    }

    /// From now on nobody is told to have it; nobody else can take it before this process ends or drops
    /// it.
    ///
    /// - Throws: ``SystemError``.
    package func withdraw() throws(SystemError) {
        source.withLock { $0?.cancel() }
        try descriptor.shutDownSocket()
    }

    deinit { source.withLock { $0?.cancel() } }

    /// The holder of the name; nil where there is none, or it can't be told, as one that takes
    /// it this moment.
    ///
    /// - Throws: ``SystemError``.
    package static func holder(of name: String) throws(SystemError) -> PeerCredentials? {
        do throws(SystemError) {
            return try UnixSocket.connect(to: "@" + name, timeout: .milliseconds(100))
                .peerCredentials()
        } catch {
            switch error.errno {
            // Nobody, or too many ask.
            case .connectionRefused, .resourceTemporarilyUnavailable: return nil
            default: throw error
            }
        }
    }

    /// Lets go of those who asked, so that there is room for others: from now on, by a thread that
    /// sleeps while nobody asks.
    package func forgetAskers() {
        let shared = shared
        let source = DescriptorSource(
            shared, .readable, queue: DispatchQueue(label: "name")
        ) {
            for _ in 0..<Self.backlog {
                let asker = clinux_accept(shared.descriptor.rawValue)
                // It is nobody's turn any more, or the asker went.
                if asker < 0 { break }
                close(asker)
            }
            usleep(Self.pause)
        }
        self.source.withLock { $0 = source }
        source.resume()
    }
}
