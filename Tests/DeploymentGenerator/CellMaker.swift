package import Policy
package import PortModel
internal import Site

/// One packet of the matrix: a row's own, or a near miss of it.
package struct Cell: Sendable {
    /// Row, protocol, address and what was changed, for the failure's message.
    package let name: String
    package let packet: Packet
}

/// Makes the cells of a policy: for every permit, family and address, the allowed packets at the
/// ends of its ranges, and each near miss.
package struct CellMaker {
    private let policy: Policy
    /// Addresses of the host that are not the node's.
    private let decoys: [IPAddress]
    /// Peers that no class names.
    private let strangers: [IPAddress]
    package private(set) var cells: [Cell] = []
    /// Ports for `<any>`, each used once, so that no packet belongs to another's flow.
    private var freePort: UInt16 = 10_000

    package init(_ policy: Policy, decoys: [IPAddress], strangers: [IPAddress]) {
        self.policy = policy
        self.decoys = decoys
        self.strangers = strangers
        for permit in policy.permits { add(permit) }
    }

    private mutating func anyPort() -> UInt16 {
        freePort += 1
        precondition(freePort < 33_000, "the free ports reach into the signaling range")
        return freePort
    }

    private mutating func add(_ permit: Permit) {
        for node in permit.nodeAddresses {
            let family = node.family
            guard let stranger = strangers.first(where: { $0.family == family }),
                let decoy = decoys.first(where: { $0.family == family })
            else { continue }
            var peer = stranger
            if case .only(let allowed) = permit.peers {
                // Where no peer of this family is permitted, every packet is a near miss.
                peer = allowed.only(family).ranges.first?.lowerBound ?? stranger
            }
            let name = "\(permit.id) \(permit.protocol.name) \(node)"
            let sources = samples(permit.sourcePorts)
            var destinations = samples(permit.destinationPorts)
            if permit.protocol == .udp, permit.direction == .inbound {
                // Ports that other rows open or ask from, which no early refusal may hide behind.
                destinations.outside += policy.answerableUDP.nodePorts.intervals
                    .map(\.lowerBound).filter { !permit.destinationPorts.contains($0) }
            }

            for source in sources.inside {
                for destination in destinations.inside {
                    add("\(name): allowed", permit, node, peer, source, destination)
                }
            }
            for source in sources.outside {
                for destination in destinations.each {
                    add(
                        "\(name): source port \(source)", permit, node, peer, source,
                        destination)
                }
            }
            for destination in destinations.outside {
                for source in sources.each {
                    add(
                        "\(name): destination port \(destination)", permit, node, peer, source,
                        destination)
                }
            }
            for source in sources.each {
                for destination in destinations.each {
                    addOtherEnds(
                        name, permit, node, peer, stranger: stranger, decoy: decoy, source,
                        destination)
                }
            }
            let (source, destination) = (sources.each[0], destinations.each[0])
            add(
                "\(name): wrong protocol", permit, node, peer, source, destination,
                wrongProtocol: true)
            add(
                "\(name): other direction", permit, node, peer, source, destination,
                reversed: true)
        }
    }

    /// The permitted ports between other addresses.
    private mutating func addOtherEnds(
        _ name: String, _ permit: Permit, _ node: IPAddress, _ peer: IPAddress,
        stranger: IPAddress, decoy: IPAddress, _ source: UInt16?, _ destination: UInt16?
    ) {
        if case .only = permit.peers {
            add("\(name): wrong peer", permit, node, stranger, source, destination)
        }
        let others = Set(policy.node.allAddresses).subtracting(permit.nodeAddresses).union([decoy])
        for other in others.sorted() where other.family == node.family {
            add("\(name): wrong address \(other)", permit, other, peer, source, destination)
        }
    }

    /// Ports at the edges of a set, on either side; nil stands for a free one.
    private struct Samples {
        /// Both ends of every interval.
        var inside: [UInt16?]
        /// One of every interval.
        var each: [UInt16?]
        var outside: [UInt16]
    }

    private func samples(_ ports: PortSet) -> Samples {
        if ports.isAll { return Samples(inside: [nil], each: [nil], outside: []) }
        var inside: Set<UInt16> = []
        var outside: Set<UInt16> = []
        for interval in ports.intervals {
            inside.formUnion([interval.lowerBound, interval.upperBound])
            outside.formUnion([interval.lowerBound &- 1, interval.upperBound &+ 1])
        }
        outside = outside.filter { $0 != 0 && !ports.contains($0) }
        return Samples(
            inside: inside.sorted(), each: ports.intervals.map(\.lowerBound),
            outside: outside.sorted())
    }

    private mutating func add(
        _ name: String, _ permit: Permit, _ node: IPAddress, _ peer: IPAddress,
        _ source: UInt16?, _ destination: UInt16?, wrongProtocol: Bool = false,
        reversed: Bool = false
    ) {
        let sourcePort = source ?? anyPort()
        let destinationPort = destination ?? anyPort()
        let transport: Transport
        switch (permit.protocol, wrongProtocol) {
        case (.tcp, false), (.udp, true):
            transport = .tcp(source: sourcePort, destination: destinationPort)
        case (.udp, false), (.tcp, true):
            transport = .udp(source: sourcePort, destination: destinationPort)
        case (.esp, false): transport = .esp
        // For experiments (RFC 3692). Authentication headers would be a header before another in IPv6.
        case (.esp, true): transport = .other(253)
        }
        let inbound = (permit.direction == .inbound) != reversed
        cells.append(
            Cell(
                name: name,
                packet: Packet(
                    inbound ? .inbound : .outbound, from: inbound ? peer : node,
                    to: inbound ? node : peer, transport)))
    }
}
