package import Policy
package import PortModel

/// What a sample tells of a packet that was refused.
package struct RefusedPacket: Hashable, Sendable {
    package var refusal: Refusal
    /// Both addresses are of one family.
    package var source: IPAddress
    package var destination: IPAddress
    /// The IP protocol number, whatever extension headers come before it.
    package var protocolNumber: UInt8
    /// nil where the sample does not hold its header: of a fragment that is not the first.
    package var transport: Transport?

    /// nil where the counter is none of refusals.
    ///
    /// - Parameter counter: the name of that which counted it.
    /// - Precondition: both addresses are of one family.
    package init?(
        counter: String, from source: IPAddress, to destination: IPAddress, protocolNumber: UInt8,
        _ transport: Transport?
    ) {
        precondition(source.family == destination.family)
        guard case .refusal(let refusal) = CounterPurpose(name: counter) else { return nil }
        self.refusal = refusal
        self.source = source
        self.destination = destination
        self.protocolNumber = protocolNumber
        self.transport = transport
    }

    /// What reports call the counter that counted it.
    package var counter: String { refusal.id }
    /// Seen from the node at whose end it was refused.
    package var direction: Direction { refusal.direction }
}
