internal import CLinux
internal import Glibc
package import SystemPackage

/// The process at the other end of a Unix stream socket, as it was when it connected.
package struct PeerCredentials: Hashable, Sendable {
    /// The id of the process, which may have ended since.
    package let pid: Int32
    /// The effective user.
    package let uid: UInt32
    /// The primary group; users are members of ``groups`` too.
    package let gid: UInt32
    /// The supplementary groups.
    package let groups: [UInt32]

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// Whether the group is the primary one or a supplementary one.
    package func isMember(of group: UInt32) -> Bool { gid == group || groups.contains(group) }
}

/// A connected Unix stream socket.
package final class UnixSocket: Sendable {
    /// The outcome of a non-blocking read or write.
    package enum Transfer: Hashable, Sendable {
        case bytes(Int)
        /// Nothing now: wait until the descriptor is ready, or the time limit has passed.
        case wouldBlock
        /// Reading only: the peer sends no more.
        case ended
    }

    /// The socket.
    package let shared: SharedDescriptor
    private var raw: Int32 { shared.descriptor.rawValue }

    init(_ owned: consuming OwnedDescriptor) {
        shared = SharedDescriptor(owned)
    }

    /// - Parameter descriptor: a connected stream socket, which this one owns from now on.
    package convenience init(adopting descriptor: FileDescriptor) {
        self.init(OwnedDescriptor(adopting: descriptor))
    }

    /// Two ends, connected to each other; both block.
    ///
    /// - Throws: ``SystemError`` of socketpair(2).
    package static func pair() throws(SystemError) -> (UnixSocket, UnixSocket) {
        let ends = try socketPair(SOCK_STREAM)
        return (UnixSocket(adopting: ends.0), UnixSocket(adopting: ends.1))
    }

    /// Whether the peer has closed its end, as far as is known now.
    ///
    /// - Throws: ``SystemError`` of poll(2).
    package func isHungUp() throws(SystemError) -> Bool {
        try shared.descriptor.hasEvents(0, within: .zero)
    }

    /// Waits until the peer sent something or closed its end; false where neither was in time.
    ///
    /// - Throws: ``SystemError`` of poll(2).
    package func isReadable(within timeout: Duration) throws(SystemError) -> Bool {
        try shared.descriptor.hasEvents(Int16(POLLIN), within: timeout)
    }

    /// Lets the peer see the end.
    ///
    /// - Throws: ``SystemError`` of shutdown(2).
    package func shutDown() throws(SystemError) { try shared.descriptor.shutDownSocket() }

    /// Connects to a path or an abstract `@name`. The socket blocks, within the limit set by
    /// ``setTimeout(_:)``; `timeout` bounds the wait for a server with a full queue (EAGAIN).
    ///
    /// - Throws: ``SystemError`` of connect(2).
    package static func connect(to path: String, timeout: Duration) throws(SystemError)
        -> UnixSocket
    {
        let address = try UnixAddress(path)
        let socket = UnixSocket(try stream())
        try socket.setTimeout(timeout)
        try systemCall("connect", path) {
            address.withPointer { Glibc.connect(socket.raw, $0, $1) }
        }
        return socket
    }

    static func stream() throws(SystemError) -> OwnedDescriptor {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
        let raw = try systemCall("socket") { socket(AF_UNIX, Int32(type), 0) }
        return OwnedDescriptor(adopting: FileDescriptor(rawValue: raw))
    }

    /// Bounds each later call on a blocking socket; at least a microsecond.
    ///
    /// - Throws: ``SystemError`` of setsockopt(2).
    package func setTimeout(_ timeout: Duration) throws(SystemError) {
        let (seconds, attoseconds) = max(timeout, .microseconds(1)).components
        var value = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try systemCall("setsockopt") {
                setsockopt(
                    raw, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<timeval>.size))
            }
        }
    }

    /// Reads at most `buffer.count` bytes to its beginning.
    ///
    /// - Throws: ``SystemError`` of recv(2).
    package func receive(into buffer: inout [UInt8]) throws(SystemError) -> Transfer {
        let raw = raw
        return try transfer { recv(raw, &buffer, buffer.count, 0) }
    }

    /// Writes as many of the bytes as there is room for; a peer that has gone is EPIPE, never a
    /// signal.
    ///
    /// - Throws: ``SystemError`` of send(2).
    package func send(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Transfer {
        let raw = raw
        return try transfer {
            bytes.withUnsafeBytes {
                Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    private func transfer(_ call: () -> Int) throws(SystemError) -> Transfer {
        do {
            let count = try systemCall("socket", nil, call)
            return count == 0 ? .ended : .bytes(count)
        } catch {
            if error.errno == .resourceTemporarilyUnavailable { return .wouldBlock }
            throw error
        }
    }

    /// The process at the other end.
    ///
    /// - Throws: ``SystemError`` of getsockopt(2).
    package func peerCredentials() throws(SystemError) -> PeerCredentials {
        var (pid, uid, gid): (pid_t, uid_t, gid_t) = (0, 0, 0)
        try systemCall("getsockopt", "SO_PEERCRED") {
            clinux_peer_credentials(raw, &pid, &uid, &gid)
        }
        var groups = [gid_t](repeating: 0, count: 64)
        while true {
            let count = try systemCall("getsockopt", "SO_PEERGROUPS") {
                clinux_peer_groups(raw, &groups, Int32(groups.count))
            }
            if count <= groups.count {
                return PeerCredentials(
                    pid: pid, uid: uid, gid: gid, groups: Array(groups.prefix(Int(count))))
            }
            groups = [gid_t](repeating: 0, count: Int(count))
        }
    }
}
