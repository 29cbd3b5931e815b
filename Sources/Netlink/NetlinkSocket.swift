internal import CMnl
internal import Glibc
package import LinuxSystem
internal import SystemPackage

/// A netlink socket, and messages as their users need them.
package final class NetlinkSocket {
    private let socket: OpaquePointer
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: largestDatagram)

    /// The kernel makes no larger datagrams, however much room there is (`netlink_dump`).
    static let largestDatagram = 32 * 1024

    /// - Parameters:
    ///   - bus: which of the kernel's subsystems, as `NETLINK_NETFILTER`.
    ///   - groups: the notifications to receive, a bit for each group.
    ///   - receiveBuffer: in bytes; nil for the system's default.
    init(
        bus: Int32, groups: UInt32 = 0, receiveBuffer: Int32? = nil
    ) throws(KernelError) {
        guard let socket = mnl_socket_open2(bus, Int32(SOCK_CLOEXEC.rawValue)) else {
            throw KernelError.system("open a netlink socket")
        }
        // From here on `deinit` closes it, also where this throws.
        self.socket = socket
        guard mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0 else {
            throw KernelError.system("bind a netlink socket")
        }
        if var size = receiveBuffer {
            // FORCE goes beyond net.core.rmem_max but needs CAP_NET_ADMIN in the first user
            // namespace; without it the ordinary option takes what is allowed.
            let length = socklen_t(MemoryLayout<Int32>.size)
            if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, length) != 0,
                setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, length) != 0
            {
                throw KernelError.system("enlarge a netlink socket's buffer")
            }
        }
    }

    /// For questions to netfilter.
    ///
    /// - Throws: where no netlink socket can be opened.
    package convenience init() throws(KernelError) { try self.init(bus: NETLINK_NETFILTER) }

    /// Goes on with the socket of a program that this process was before.
    init(adopting descriptor: Int32) throws(KernelError) {
        guard let socket = mnl_socket_fdopen(descriptor) else {
            throw KernelError.system("adopt a netlink socket")
        }
        self.socket = socket
    }

    /// Goes on with a socket that another process opened.
    convenience init(adopting owned: consuming OwnedDescriptor) throws(KernelError) {
        try self.init(adopting: owned.descriptor.rawValue)
        _ = owned.release()
    }

    deinit { mnl_socket_close(socket) }

    /// The file descriptor, which the socket keeps and closes.
    package var descriptor: Int32 { mnl_socket_get_fd(socket) }

    /// Sends an nf_tables request and hands every answer to `body`.
    ///
    /// - Parameters:
    ///   - family: whose objects are asked for, as an `NFPROTO_` number.
    ///   - names: attributes of the request, at most three.
    /// - Throws: ``KernelError/Code/missing`` for a name that the kernel gives nothing.
    func request(
        _ type: nf_tables_msg_types, flags: Int32, family: UInt8,
        names: [(type: UInt32, name: KernelName)] = [], _ body: (borrowing NetlinkMessage) -> Void
    ) throws(KernelError) {
        // NFT_NAME_MAXLEN, with the NUL at the end: the request's buffer has room for three.
        guard names.allSatisfy({ $0.name.bytes.count < 256 }) else {
            throw KernelError(.missing, "nothing in nf_tables has a name of more than 255 bytes")
        }
        let message = NetfilterMessage(
            subsystem: NFNL_SUBSYS_NFTABLES, type: type.rawValue, family: Int32(family))
        let attributes: (UnsafeMutablePointer<nlmsghdr>) -> Void = { header in
            for (type, name) in names {
                mnl_attr_put(header, UInt16(type), name.bytes.count + 1, name.bytes + [0])
            }
        }
        try request(message, flags: flags, attributes: attributes) {
            body($0)
            return true
        }
    }

    /// Sends a netfilter request and hands every answer to `body`.
    ///
    /// - Parameters:
    ///   - attributes: adds the request's attributes, of at most 900 bytes, to its header.
    ///   - body: false where nothing more is wanted; the socket is of no use afterwards.
    func request(
        _ type: NetfilterMessage, flags: Int32,
        attributes: (UnsafeMutablePointer<nlmsghdr>) -> Void = { _ in },
        _ body: (borrowing NetlinkMessage) -> Bool
    ) throws(KernelError) {
        sequence &+= 1
        try send { header in
            header.pointee.nlmsg_type = UInt16(type.subsystem) << 8 | UInt16(type.type)
            header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
            mnl_nlmsg_put_extra_header(header, MemoryLayout<nfgenmsg>.size)?.storeBytes(
                of: nfgenmsg(
                    nfgen_family: UInt8(type.family), version: 0,
                    res_id: type.resource.bigEndian),
                as: nfgenmsg.self)
            attributes(header)
        }
        let isDump = flags & NLM_F_DUMP == NLM_F_DUMP
        while true {
            var isDone = false
            try receive { message in
                // An answer to an earlier request that failed.
                if message.sequence != sequence || isDone { return }
                switch message.kind {
                case .done: isDone = true
                case .acknowledgement: isDone = true
                case .message: isDone = !body(message) || !isDump
                }
            }
            if isDone { return }
        }
    }

    /// Sends a request of at most 1,024 bytes.
    private func send(
        _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(KernelError) {
        var request = [UInt8](repeating: 0, count: 1024)
        let sent = request.withUnsafeMutableBytes { bytes -> Int in
            guard let base = bytes.baseAddress, let header = mnl_nlmsg_put_header(base) else {
                preconditionFailure("the request's buffer has no address")
            }
            build(header)
            header.pointee.nlmsg_seq = sequence
            return mnl_socket_sendto(socket, header, Int(header.pointee.nlmsg_len))
        }
        guard sent >= 0 else { throw KernelError.system("ask the kernel by netlink") }
    }

    /// The kernel's route to an address.
    ///
    /// - Parameters:
    ///   - bytes: the address in network order.
    ///   - family: `AF_INET` or `AF_INET6`.
    /// - Returns: its type, an `RTN_` number, and the index of the interface that it leads out of;
    ///   0 for none.
    func route(
        to bytes: [UInt8], family: Int32
    ) throws(KernelError) -> (type: UInt32, interface: UInt32) {
        try send { header in
            header.pointee.nlmsg_type = UInt16(RTM_GETROUTE)
            header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST)
            var question = rtmsg()
            question.rtm_family = UInt8(family)
            question.rtm_dst_len = UInt8(bytes.count * 8)
            mnl_nlmsg_put_extra_header(header, MemoryLayout<rtmsg>.size)?
                .storeBytes(of: question, as: rtmsg.self)
            mnl_attr_put(header, UInt16(RTA_DST.rawValue), bytes.count, bytes)
        }
        var route = (type: UInt32(RTN_UNREACHABLE), interface: UInt32(0))
        try receive { message in
            route.type = message.routeType
            message.attributes(behind: MemoryLayout<rtmsg>.size).forEach { type, payload in
                if type == Int(RTA_OIF.rawValue), let index = payload.hostNumber {
                    route.interface = index
                }
            }
        }
        return route
    }

    /// Reads one datagram, waiting for it unless the descriptor is non-blocking, and hands its
    /// messages to `body`.
    ///
    /// - Throws: an error whose cause is the kernel's answer or the socket's state.
    func receive(_ body: (borrowing NetlinkMessage) -> Void) throws(KernelError) {
        let result: Result<Void, KernelError> = buffer.withUnsafeMutableBytes { bytes in
            var length: Int
            repeat {
                length = mnl_socket_recvfrom(socket, bytes.baseAddress, bytes.count)
            } while length < 0 && errno == EINTR
            guard length >= 0 else { return .failure(.system("read from netlink")) }
            let datagram = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            if let code = Self.forEachMessage(in: datagram, body) {
                return .failure(.system("ask the kernel by netlink", errno: code))
            }
            return .success(())
        }
        try result.get()
    }

    /// Hands the messages of a datagram to `body`, up to one that tells of a failure.
    ///
    /// - Returns: that one's `errno`; nil where there is none.
    static func forEachMessage(
        in datagram: UnsafeRawBufferPointer, _ body: (borrowing NetlinkMessage) -> Void
    ) -> Int32? {
        var remaining = Int32(datagram.count)
        var next = datagram.baseAddress?.assumingMemoryBound(to: nlmsghdr.self)
        // libmnl takes a length from 2 GiB on for one below zero, which fits everywhere.
        while let header = next, mnl_nlmsg_ok(header, remaining),
            Int(header.pointee.nlmsg_len) <= Int(remaining)
        {
            let message = NetlinkMessage(header: header)
            if let code = message.errorCode { return code }
            body(message)
            next = UnsafePointer(mnl_nlmsg_next(header, &remaining))
        }
        return nil
    }
}

/// Names a message of one of netfilter's subsystems, about objects of a family.
struct NetfilterMessage {
    var subsystem: Int32
    var type: UInt32
    /// An `NFPROTO_` or `AF_` number.
    var family: Int32
    /// Which of the subsystem's objects, where these have numbers.
    var resource: UInt16 = 0
}

/// One message, valid only while the buffer that it lies in is.
struct NetlinkMessage: ~Copyable {
    enum Kind {
        case message
        case acknowledgement
        case done
    }

    fileprivate let header: UnsafePointer<nlmsghdr>

    var kind: Kind {
        switch Int32(header.pointee.nlmsg_type) {
        case NLMSG_DONE: .done
        case NLMSG_ERROR: .acknowledgement
        default: .message
        }
    }

    /// The request's number that this answers; 0 for notifications.
    var sequence: UInt32 { header.pointee.nlmsg_seq }

    /// The `errno` of an error message, or of the end of a dump that failed on its way; nil for an
    /// acknowledgement and everything else. The end of a batch of logged packets, which answers no
    /// request, holds what the kernel did not care to write.
    fileprivate var errorCode: Int32? {
        guard [NLMSG_ERROR, NLMSG_DONE].contains(Int32(header.pointee.nlmsg_type)),
            sequence != 0 || kind == .acknowledgement,
            let code = head(Int32.self)
        else { return nil }
        return code < 0 ? Int32(clamping: code.magnitude) : nil
    }

    /// The nf_tables message type, or nil for messages of other subsystems.
    var type: nf_tables_msg_types? {
        guard header.pointee.nlmsg_type >> 8 == UInt16(NFNL_SUBSYS_NFTABLES) else { return nil }
        return nf_tables_msg_types(UInt32(header.pointee.nlmsg_type & 0xff))
    }

    /// Whether it is a packet that a rule logged.
    var isLoggedPacket: Bool {
        header.pointee.nlmsg_type == UInt16(NFNL_SUBSYS_ULOG) << 8
            | UInt16(NFULNL_MSG_PACKET.rawValue)
    }

    /// The family of the object that the message is about, as an `NFPROTO_` number.
    var family: UInt8 { head(nfgenmsg.self)?.nfgen_family ?? 0 }

    /// The last bits of the ruleset generation that a notification of nf_tables belongs to.
    var generationBits: UInt16 {
        head(nfgenmsg.self).map { UInt16(bigEndian: $0.res_id) } ?? 0
    }

    /// The type of the route that the message is about, as an `RTN_` number.
    var routeType: UInt32 {
        head(rtmsg.self).map { UInt32($0.rtm_type) } ?? UInt32(RTN_UNREACHABLE)
    }

    /// The subsystem's own header, behind netlink's; nil where the message ends before.
    private func head<Head: BitwiseCopyable>(_: Head.Type) -> Head? {
        guard mnl_nlmsg_get_payload_len(header) >= MemoryLayout<Head>.size else { return nil }
        return mnl_nlmsg_get_payload(header)?.load(as: Head.self)
    }

    /// The attribute of this type at the top level as a NUL-terminated string.
    func string(_ type: Int) -> String? {
        attribute(type).flatMap { attribute in
            guard mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0 else { return nil }
            return mnl_attr_get_str(attribute).map { String(cString: $0) }
        }
    }

    /// The attribute of this type at the top level as a 32-bit number in network order.
    func number(_ type: Int) -> UInt32? {
        attribute(type).flatMap { attribute in
            guard mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0 else { return nil }
            return UInt32(bigEndian: mnl_attr_get_u32(attribute))
        }
    }

    /// All attributes at the top level, behind a netfilter header.
    var attributes: NetlinkAttributes { attributes(behind: MemoryLayout<nfgenmsg>.size) }

    /// All attributes at the top level, behind a header of so many bytes.
    func attributes(behind size: Int) -> NetlinkAttributes {
        let length = mnl_nlmsg_get_payload_len(header)
        guard length >= size, let payload = mnl_nlmsg_get_payload(header)
        else { return NetlinkAttributes(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return NetlinkAttributes(
            UnsafeRawBufferPointer(
                rebasing: UnsafeRawBufferPointer(start: payload, count: length)[size...]))
    }

    private func attribute(_ type: Int) -> UnsafePointer<nlattr>? {
        guard let end = mnl_nlmsg_get_payload_tail(header) else { return nil }
        var next = mnl_nlmsg_get_payload_offset(header, MemoryLayout<nfgenmsg>.size)?
            .assumingMemoryBound(to: nlattr.self)
        while let attribute = next,
            mnl_attr_ok(attribute, Int32(UnsafeRawPointer(end) - UnsafeRawPointer(attribute)))
        {
            if Int(mnl_attr_get_type(attribute)) == type { return UnsafePointer(attribute) }
            next = mnl_attr_next(attribute)
        }
        return nil
    }
}

extension KernelError {
    /// A system call's failure, from `errno` at the time of the call.
    static func system(_ doing: String, errno code: Int32 = errno) -> KernelError {
        let text = String(cString: strerror(code))
        switch code {
        case EPERM:
            return KernelError(
                .notPermitted, "can't \(doing): \(text) (the agent needs CAP_NET_ADMIN)")
        // ENOSPC is libmnl's word for a datagram that was cut off.
        case ENOBUFS, ENOSPC:
            return KernelError(.overflow, "can't \(doing): \(text)")
        case ENOENT:
            return KernelError(.missing, "can't \(doing): \(text)")
        case ENETUNREACH, EHOSTUNREACH, EACCES:
            return KernelError(.unreachable, "can't \(doing): \(text)")
        default:
            return KernelError(.unavailable, "can't \(doing): \(text)")
        }
    }
}

extension SocketKind {
    /// Whether it is a netlink socket of netfilter's subsystems.
    package var isNetfilter: Bool { domain == AF_NETLINK && number == NETLINK_NETFILTER }
}
