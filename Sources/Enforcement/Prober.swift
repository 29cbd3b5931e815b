package import Site

/// Tries the connections that must succeed after an apply.
package protocol Prober: Sendable {
    /// The probes that did not connect, each with the reason; returns within some seconds.
    func failures(of probes: [Probe]) async -> [ProbeFailure]
}

/// A probe that did not connect.
package struct ProbeFailure: Hashable, Sendable, CustomStringConvertible {
    /// The probe as it is configured.
    package var probe: Probe
    /// Such as `Connection refused`.
    package var reason: String

    package init(probe: Probe, reason: String) {
        self.probe = probe
        self.reason = reason
    }

    package var description: String { "probe \(probe) did not connect: \(reason)" }
}
