package import Policy
package import PortModel

/// A refused packet, as far as a sample tells of it.
package struct RefusedPacket: Hashable, Sendable {
    /// The reason, by the counter that counted it.
    package var refusal: Refusal
    /// Both addresses are of one family.
    package var source: IPAddress
    /// As the rule that refused saw it.
    package var destination: IPAddress
    /// The IP protocol number, whatever extension headers come before it.
    package var protocolNumber: UInt8
    /// nil where the sample does not hold its header: of a fragment that is not the first.
    package var transport: Transport?

    /// nil where the counter is none of refusals.
    ///
    /// - Parameter counter: the kernel's name of the counter that counted it.
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

    /// The id by which reports call the counter that counted it.
    package var counter: String { refusal.id }
    /// Seen from the node at whose end it was refused.
    package var direction: Direction { refusal.direction }
}
