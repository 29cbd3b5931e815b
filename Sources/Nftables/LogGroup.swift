internal import CMnl
internal import Glibc
internal import LinuxSystem
internal import Ruleset
internal import SystemPackage

/// A group of nflog, by which rules hand over packets: one program at a time may have it.
///
/// Only who holds `CAP_NET_ADMIN` may bind a socket to it; whoever has the socket may read.
enum LogGroup {
    /// A socket that receives what is logged to the group, with numbers that tell what was lost.
    static func open(_ group: UInt16) throws(NftablesError) -> NetlinkSocket {
        let socket = try NetlinkSocket()
        let message = NetfilterMessage(
            subsystem: NFNL_SUBSYS_ULOG, type: NFULNL_MSG_CONFIG.rawValue, family: AF_UNSPEC,
            resource: group)
        func configure(
            _ attributes: (UnsafeMutablePointer<nlmsghdr>) -> Void
        ) throws(NftablesError) {
            try socket.request(message, flags: NLM_F_ACK, attributes: attributes) { _ in true }
        }
        do throws(NftablesError) {
            try configure { header in
                var command = nfulnl_msg_config_cmd()
                command.command = UInt8(NFULNL_CFG_CMD_BIND.rawValue)
                put(command, NFULA_CFG_CMD, header)
            }
        } catch {
            // The kernel (6.18) says EPERM where the group is another socket's.
            guard error.code == .notPermitted else { throw error }
            throw NftablesError(.taken, taken(group))
        }
        try configure { header in
            var mode = nfulnl_msg_config_mode()
            mode.copy_mode = UInt8(NFULNL_COPY_PACKET)
            mode.copy_range = UInt32(Sampling.length).bigEndian
            put(mode, NFULA_CFG_MODE, header)
            put(UInt16(NFULNL_CFG_F_SEQ).bigEndian, NFULA_CFG_FLAGS, header)
        }
        return socket
    }

    private static func put<Value: BitwiseCopyable>(
        _ value: Value, _ type: nfulnl_attr_config, _ header: UnsafeMutablePointer<nlmsghdr>
    ) {
        withUnsafeBytes(of: value) {
            mnl_attr_put(header, UInt16(type.rawValue), $0.count, $0.baseAddress)
        }
    }

    private static func taken(_ group: UInt16) -> String {
        "nflog group \(group) is another program's, such as ulogd2's or that of tcpdump -i nflog: end that, or give refusals.group another number"
    }

    // MARK: From one process to another

    /// What comes with the socket, or in its place.
    enum Answer: WireValue {
        case opened
        case failed(NftablesError)

        static let longest = 4_096

        init(from reader: inout WireReader) throws(WireError) {
            self = try reader.byte() == 0 ? .opened : .failed(try NftablesError(from: &reader))
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
                    throw NftablesError(.unavailable, "there is no nflog group \(group)")
                }
                let socket = try open(group)
                writer.put(Answer.opened)
                try withExtendedLifetime(socket) {
                    try agent.send(writer.bytes, FileDescriptor(rawValue: socket.descriptor))
                }
            } catch let error as NftablesError {
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
