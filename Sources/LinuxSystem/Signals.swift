internal import CLinux
@preconcurrency internal import Dispatch
internal import Glibc
internal import SystemPackage

/// The signals a service is steered by.
package enum Signal: Int32, Sendable, CaseIterable, CustomStringConvertible {
    case hangUp = 1
    case interrupt = 2
    case terminate = 15

    package var description: String {
        switch self {
        case .hangUp: "SIGHUP"
        case .interrupt: "SIGINT"
        case .terminate: "SIGTERM"
        }
    }
}

package enum Signals {
    /// Delivers signals instead of what they do by default. When this returns they are caught:
    /// none is lost, and none ends the process.
    ///
    /// Caught by handlers which write to a pipe, because blocked or ignored signals would stay so
    /// in the programs this process starts. One stream in a process may catch a signal. When the
    /// stream ends (its consumer's task is cancelled or drops it) the signals have their default
    /// effect again.
    ///
    /// - Throws: ``SystemError``.
    package static func caught(
        _ signals: Set<Signal> = Set(Signal.allCases)
    ) throws(SystemError) -> AsyncStream<Signal> {
        var ends: [Int32] = [-1, -1]
        try systemCall("pipe") { pipe(&ends) }
        let readEnd = SharedDescriptor(OwnedDescriptor(adopting: FileDescriptor(rawValue: ends[0])))
        // Open as long as the process: a handler may still be running when the stream ends.
        let writeEnd = ends[1]
        for end in ends {
            // Neither is inherited; the handler must never block.
            try systemCall("fcntl") { fcntl(end, F_SETFD, FD_CLOEXEC) }
            try systemCall("fcntl") { fcntl(end, F_SETFL, O_NONBLOCK) }
        }

        let (stream, continuation) = AsyncStream.makeStream(of: Signal.self)
        let source = DescriptorSource(
            readEnd, .readable, queue: DispatchQueue(label: "signals")
        ) {
            for signal in pending(readEnd.descriptor) { continuation.yield(signal) }
        }
        source.resume()
        for signal in signals {
            try systemCall("sigaction", "\(signal)") {
                clinux_catch_signal(signal.rawValue, writeEnd)
            }
        }
        continuation.onTermination = { _ in
            // Fails for invalid signal numbers only.
            for signal in signals { _ = clinux_restore_signal(signal.rawValue) }
            source.cancel()
        }
        return stream
    }

    /// The signals that wait in the pipe, the oldest first.
    private static func pending(_ pipe: FileDescriptor) -> [Signal] {
        var bytes = [UInt8](repeating: 0, count: 256)
        // Fails with EAGAIN only: then there is none.
        let count = bytes.withUnsafeMutableBytes { read(pipe.rawValue, $0.baseAddress, $0.count) }
        return bytes.prefix(max(0, count)).compactMap { Signal(rawValue: Int32($0)) }
    }
}
