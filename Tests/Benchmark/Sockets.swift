import CPacket
import Foundation
import PortModel
import TestSupport

extension NetworkNamespace {
    /// Runs the body with the calling thread in this namespace: what it opens stays in there.
    func inside<Success>(_ body: () throws -> Success) throws -> Success {
        let former = try check("enter \(name)", pexip_enter_namespace("/run/netns/\(name)"))
        let result = Result { try body() }
        _ = try check("leave \(name)", pexip_leave_namespace(former))
        return try result.get()
    }
}

extension IPAddress {
    var socketFamily: Int32 { family == .ipv4 ? AF_INET : AF_INET6 }

    /// Network byte order.
    var networkBytes: [UInt8] {
        let count = family.bits / 8
        return (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt128(8 * (count - 1 - $0))) }
    }

    func withSocketAddress<Success>(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Success
    ) rethrows -> Success {
        var storage = sockaddr_storage()
        let length = pexip_socket_address(&storage, socketFamily, networkBytes, port)
        return try withUnsafePointer(to: &storage) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, length) }
        }
    }
}

/// A socket of some namespace, closed with its owner.
final class Socket {
    let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A UDP socket that is bound to `local` and takes no more than a packet or two: what else comes
    /// is received by the kernel, and read by nobody.
    static func udp(in namespace: NetworkNamespace, at local: IPAddress, port: UInt16) throws
        -> Socket
    {
        try namespace.inside {
            let socket = Socket(
                try check("socket", Glibc.socket(local.socketFamily, Int32(SOCK_DGRAM.rawValue), 0))
            )
            try socket.holdLittle()
            _ = try check(
                "bind \(local):\(port)",
                local.withSocketAddress(port: port) { bind(socket.descriptor, $0, $1) })
            return socket
        }
    }

    private func holdLittle() throws {
        var smallest: Int32 = 1
        _ = try check(
            "setsockopt",
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &smallest, socklen_t(MemoryLayout<Int32>.size)))
    }

    /// A raw socket for UDP headers of one's own, with `local` as its source.
    static func rawUDP(in namespace: NetworkNamespace, from local: IPAddress) throws -> Socket {
        try namespace.inside {
            let socket = Socket(
                try check(
                    "socket",
                    Glibc.socket(
                        local.socketFamily, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_UDP))))
            try socket.holdLittle()
            _ = try check(
                "bind \(local)",
                local.withSocketAddress(port: 0) { bind(socket.descriptor, $0, $1) })
            return socket
        }
    }

    /// A listening TCP socket.
    static func listening(in namespace: NetworkNamespace, at local: IPAddress, port: UInt16) throws
        -> Socket
    {
        try namespace.inside {
            let socket = Socket(
                try check(
                    "socket",
                    local.networkBytes.withUnsafeBufferPointer {
                        pexip_tcp_socket(local.socketFamily, $0.baseAddress, port)
                    }))
            _ = try check("listen", listen(socket.descriptor, 128))
            return socket
        }
    }

    /// A socket for what services tell systemd: sd_notify(3).
    static func notifications(at path: String) throws -> Socket {
        let socket = Socket(
            try check("socket", Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let size = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < size else { throw BenchmarkError("\(path) is too long") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        _ = try check("bind \(path)", result)
        return socket
    }

    /// Waits until the service tells a line that begins so, at most `timeout` milliseconds a
    /// message.
    func awaitLine(_ beginning: String, timeout: Int32) throws {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, timeout) == 1 else {
                throw BenchmarkError("no \(beginning) came")
            }
            let count = try check("receive", recv(descriptor, &bytes, bytes.count, 0))
            let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
            if lines.contains(where: { $0.hasPrefix(beginning) }) { return }
        }
    }

    func connect(to remote: IPAddress, port: UInt16) throws {
        _ = try check(
            "connect \(remote):\(port)",
            remote.withSocketAddress(port: port) { Glibc.connect(descriptor, $0, $1) })
    }

    /// Sends one datagram to where it is not connected.
    func send(to remote: IPAddress, port: UInt16) throws {
        var byte: UInt8 = 0
        _ = try check(
            "send to \(remote):\(port)",
            remote.withSocketAddress(port: port) { sendto(descriptor, &byte, 1, 0, $0, $1) })
    }

    /// How long a handshake takes: the median of `count`, in nanoseconds.
    func handshakes(
        from local: IPAddress, in namespace: NetworkNamespace, to remote: IPAddress, port: UInt16,
        count: Int
    ) throws -> Double {
        var times: [Double] = []
        try namespace.inside {
            for _ in 0..<count {
                let client = Socket(
                    try check("socket", pexip_tcp_socket(local.socketFamily, local.networkBytes, 0))
                )
                // A handshake over veth ends within the call that begins it.
                times.append(
                    try nanoseconds {
                        let result = remote.withSocketAddress(port: port) {
                            Glibc.connect(client.descriptor, $0, $1)
                        }
                        guard result == 0 || errno == EINPROGRESS else {
                            throw BenchmarkError.system("connect \(remote):\(port)")
                        }
                        var ready = pollfd(
                            fd: client.descriptor, events: Int16(POLLOUT), revents: 0)
                        guard poll(&ready, 1, 1000) == 1, pexip_socket_error(client.descriptor) == 0
                        else { throw BenchmarkError("no handshake with \(remote):\(port)") }
                    })
                let accepted = pexip_accept(descriptor)
                if accepted >= 0 { close(accepted) }
            }
        }
        return times.median
    }
}
