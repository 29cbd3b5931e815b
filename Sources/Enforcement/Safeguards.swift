internal import Policy
package import PortModel
internal import Reports
internal import Ruleset
internal import Site

/// The SSH session that a command was typed in, as `SSH_CONNECTION` tells it.
package struct OperatorSession: Hashable, Sendable {
    /// The operator's address, as this host sees it; never IPv4-mapped.
    package var client: IPAddress
    /// Of TCP, at the client.
    package var clientPort: UInt16
    /// This host's address, of the client's family.
    package var server: IPAddress
    /// Of TCP, at this host: mostly 22.
    package var serverPort: UInt16

    /// In bytes: two addresses with their zones, and two ports.
    private static let longest = 160

    /// - Parameter text: client address and port, server address and port, separated by spaces; nil
    ///   where it is anything else.
    package init?(sshConnection text: String) {
        guard text.utf8.count <= Self.longest else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 4, let client = Self.address(words[0]),
            let clientPort = UInt16(words[1]), let server = Self.address(words[2]),
            let serverPort = UInt16(words[3]), client.family == server.family
        else { return nil }
        self.client = client
        self.clientPort = clientPort
        self.server = server
        self.serverPort = serverPort
    }

    /// A server that listens for both families on one socket has IPv4 addresses as mapped ones, and a
    /// link-local address has its interface behind it.
    private static func address(_ word: Substring) -> IPAddress? {
        let address = IPAddress(word.prefix { $0 != "%" })
        return address?.mapped ?? address
    }

    /// As `SSH_CONNECTION` has it.
    package var sshConnection: String { "\(client) \(clientPort) \(server) \(serverPort)" }
}

extension Compilation.Target {
    /// Why an apply is refused that was said so; nil where it is not.
    func refusal(of request: Reconciler.ApplyRequest) -> String? {
        if request.isForced { return nil }
        let cuts = cuts(request.session)
        if cuts.isEmpty { return nil }
        return "\(cuts.joined(separator: "; ")): say --force where this is meant"
    }

    /// The connections that an operator needs and the rules would refuse, in words: the SSH session
    /// that the command was typed in, and the probes' connections, whose failure would only take
    /// the rules back.
    ///
    /// On a gateway the host's own packets meet no rule, and while observing none is dropped.
    package func cuts(_ session: OperatorSession?) -> [String] {
        guard ruleset.placement.facts.judgesHost, mode == .enforce else { return [] }
        var cuts: [String] = []
        if let session, session.client != session.server {
            let packet = Packet(
                .inbound, from: session.client, to: session.server,
                .tcp(source: session.clientPort, destination: session.serverPort))
            if let reason = refusal(of: packet) {
                cuts.append(
                    "it would cut the SSH session that it was typed in, from \(session.client) to \(session.server) port \(session.serverPort): \(reason)"
                )
            }
        }
        for probe in deployment.guards.probes {
            guard let source = source(toward: probe.address) else { continue }
            let packet = Packet(
                .outbound, from: source, to: probe.address,
                .tcp(source: PacketQuery.commonSourcePort, destination: probe.port))
            if let reason = refusal(of: packet) {
                cuts.append("it would refuse the probe \(probe): \(reason)")
            }
        }
        return cuts
    }

    /// The node's address that the kernel would most likely send from; nil where the connection does
    /// not leave the host, or has no address to come from.
    private func source(toward peer: IPAddress) -> IPAddress? {
        let addresses = nodes.flatMap(\.addresses)
        if addresses.contains(peer) { return nil }
        return addresses.first { $0.family == peer.family }
    }

    /// Why the rules refuse a packet; nil where they let it pass.
    private func refusal(of packet: Packet) -> String? {
        let report = ExplainReport(
            packet, by: ruleset, nodes: nodes, deployment: .success(deployment))
        guard report.explanation.verdict == .drop else { return nil }
        if let row = report.inactive.first {
            return "\(report.explanation.reason) (row \(row) is off: its feature is not on)"
        }
        guard let miss = report.explanation.nearest.first else { return report.explanation.reason }
        return
            "\(report.explanation.reason) (row \(miss.row) is closest: \(miss.differences.joined(separator: ", ")))"
    }
}
