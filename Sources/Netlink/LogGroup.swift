internal import CMnl
internal import Glibc
internal import Ruleset

/// A group of nflog, by which rules hand over packets: one program at a time may have it.
///
/// Only who holds `CAP_NET_ADMIN` may bind a socket to it; whoever has the socket may read.
package enum LogGroup {
    /// A socket that receives the packets that are logged to the group, with numbers that tell how
    /// many are lost.
    ///
    /// - Throws: ``KernelError/Code/taken`` where another socket has the group.
    package static func open(_ group: UInt16) throws(KernelError) -> NetlinkSocket {
        let socket = try NetlinkSocket()
        let message = NetfilterMessage(
            subsystem: NFNL_SUBSYS_ULOG, type: NFULNL_MSG_CONFIG.rawValue, family: AF_UNSPEC,
            resource: group)
        func configure(
            _ attributes: (UnsafeMutablePointer<nlmsghdr>) -> Void
        ) throws(KernelError) {
            try socket.request(message, flags: NLM_F_ACK, attributes: attributes) { _ in true }
        }
        do throws(KernelError) {
            try configure { header in
                var command = nfulnl_msg_config_cmd()
                command.command = UInt8(NFULNL_CFG_CMD_BIND.rawValue)
                put(command, NFULA_CFG_CMD, header)
            }
        } catch {
            // The kernel (6.18) says EPERM where the group is another socket's.
            guard error.code == .notPermitted else { throw error }
            throw KernelError(.taken, taken(group))
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
}
