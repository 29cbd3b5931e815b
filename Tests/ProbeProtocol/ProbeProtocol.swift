package import FoundationEssentials

/// What the controller of `packet-probe` asks: one JSON object a line on its standard input. Each
/// is answered by exactly one ``ProbeReply``, in order.
package enum ProbeCommand: Codable, Sendable {
    /// Record packets of these IP protocols too.
    case observe(protocols: [UInt8])
    case send(packets: [OutgoingPacket])
    /// Hand over what was recorded since the last time; if nothing was, wait for something.
    case collect(waitMilliseconds: Int)
    /// Accept TCP connections and echo what they send.
    case listen(endpoints: [WireEndpoint])
    /// Connect by TCP and have one byte echoed.
    case connect(source: WireEndpoint, destination: WireEndpoint, timeoutMilliseconds: Int)
    /// Have one byte echoed on an established connection.
    case echo(connection: Int, timeoutMilliseconds: Int)
    /// Send a byte on every accepted connection, unasked.
    case push
    /// Have a byte come in on an established connection, and send none.
    case hear(connection: Int, timeoutMilliseconds: Int)
    case close(connection: Int)
    /// Forget every tracked connection of the namespace.
    case flushConnectionTracking
}

/// What `packet-probe` answers: one JSON object a line on its standard output.
package enum ProbeReply: Codable, Sendable {
    /// Unasked, once: the raw sockets are open, nothing is missed from here on.
    case ready
    case done
    /// Every packet was sent but these.
    case sent(failures: [SendFailure])
    /// `lost` counts the packets since the start for which the raw sockets had no room.
    case collected(packets: [ObservedPacket], lost: UInt64)
    case connection(id: Int, outcome: WireOutcome)
    /// The command could not be carried out, and why.
    case failed(message: String)
}

/// A numeric address and a port.
package struct WireEndpoint: Codable, Sendable {
    package let address: String
    package let port: UInt16

    package init(address: String, port: UInt16) {
        self.address = address
        self.port = port
    }
}

/// One packet as the raw socket needs it: everything but the IP header.
package struct OutgoingPacket: Codable, Sendable {
    package let protocolNumber: UInt8
    package let source: String
    package let destination: String
    /// 0 means the host's default.
    package let hopLimit: UInt8
    /// The transport header and the start of the payload.
    package let content: Data
    /// How many zero bytes follow.
    package let padding: Int

    package init(
        protocolNumber: UInt8, source: String, destination: String, hopLimit: UInt8, content: Data,
        padding: Int
    ) {
        self.protocolNumber = protocolNumber
        self.source = source
        self.destination = destination
        self.hopLimit = hopLimit
        self.content = content
        self.padding = padding
    }
}

/// A packet that the kernel did not take.
package struct SendFailure: Codable, Sendable {
    /// Which packet of the batch.
    package let index: Int
    /// `EPERM` when a rule of the output hook dropped it.
    package let errorNumber: Int32

    package init(index: Int, errorNumber: Int32) {
        self.index = index
        self.errorNumber = errorNumber
    }
}

/// A packet that passed the input hook, reassembled.
package struct ObservedPacket: Codable, Sendable {
    package let protocolNumber: UInt8
    package let source: String
    package let destination: String
    package let hopLimit: UInt8
    /// Length of the transport header and the payload.
    package let length: Int
    /// The first bytes of them.
    package let content: Data

    package init(
        protocolNumber: UInt8, source: String, destination: String, hopLimit: UInt8, length: Int,
        content: Data
    ) {
        self.protocolNumber = protocolNumber
        self.source = source
        self.destination = destination
        self.hopLimit = hopLimit
        self.length = length
        self.content = content
    }
}

/// How a TCP connection, or one echo on it, went.
package enum WireOutcome: Codable, Sendable {
    /// The handshake was completed and the byte came back.
    case established
    /// The handshake was completed, but the byte did not come back in time.
    case silent
    /// No handshake in time.
    case timedOut
    /// The kernel gave up: `ECONNREFUSED`, `EHOSTUNREACH`, `ECONNRESET`, ...
    case failed(errorNumber: Int32)
}
