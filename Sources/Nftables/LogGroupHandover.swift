internal import Glibc
internal import LinuxSystem
internal import Netlink
internal import SystemPackage

// A group of nflog, from the process that opens it to the agent.

extension LogGroup {
    /// The message that comes with the socket, or in its place.
    enum Answer: WireValue {
        case opened
        case failed(KernelError)

        static let longest = 4_096

        init(from reader: inout WireReader) throws(WireError) {
            self = try reader.byte() == 0 ? .opened : .failed(try KernelError(from: &reader))
        }

        func write(to writer: inout WireWriter) {
            switch self {
            case .opened: writer.put(UInt8(0))
            case .failed(let error):
                writer.put(UInt8(1))
                writer.put(error)
            }
        }
    }

    /// Opens the group in a process of its own, which hands the socket over and ends.
    ///
    /// - Returns: an exit status.
    static func serve(_ group: UInt32, to agent: MessageSocket) -> Int32 {
        do {
            var writer = WireWriter()
            do {
                guard let group = UInt16(exactly: group) else {
                    throw KernelError(.unavailable, "there is no nflog group \(group)")
                }
                let socket = try open(group)
                writer.put(Answer.opened)
                try withExtendedLifetime(socket) {
                    try agent.send(writer.bytes, FileDescriptor(rawValue: socket.descriptor))
                }
            } catch let error as KernelError {
                writer.put(Answer.failed(error))
                try agent.send(writer.bytes)
            }
            return EXIT_SUCCESS
        } catch {
            // The agent has gone; there is nobody else to tell.
            return EXIT_FAILURE
        }
    }
}
