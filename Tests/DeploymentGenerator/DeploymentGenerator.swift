package import PortModel
package import Site

/// Makes valid deployments of every shape that the configuration can express.
package struct DeploymentGenerator {
    package var random: SeededGenerator

    package init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// - Parameter nodeCount: how many nodes; nil for 1 to 6.
    package mutating func deployment(
        placement: Placement = .local, nodeCount: Int? = nil
    ) -> Deployment {
        let features = someFeatures()
        let ports = somePorts()
        let peers = somePeers()
        let count = nodeCount ?? Int.random(in: 1...6, using: &random)
        var nodes: [Node] = []
        for index in 0..<count {
            nodes.append(node(index, features, ports, peers))
        }
        var host = Host()
        host.ping = random.chance(50)
        host.dhcpClient = random.chance(30)
        host.trackMedia = random.pick([.auto, .always, .never])
        return Deployment(
            placement: placement, mode: random.chance(15) ? .observe : .enforce, nodes: nodes,
            host: host, rules: siteRules(nodes), refusals: refusals())
    }

    private mutating func refusals() -> Refusals {
        var refusals = Refusals()
        refusals.isSampled = random.chance(30)
        if random.chance(50) {
            refusals.group = random.pick([1, 65_535])
            refusals.rate = random.pick([1, 5, 1_000])
        }
        return refusals
    }

    private mutating func node(
        _ index: Int, _ features: Set<Feature>, _ ports: PortAssignments,
        _ peers: [PeerClass: Peers]
    ) -> Node {
        let role: NodeRole = index == 0 && random.chance(50) ? .management : .conferencing
        let families: [AddressFamily] = random.pick([[.ipv4], [.ipv4, .ipv6], [.ipv6]])
        let primary = families.map { Self.address($0, network: 1, host: UInt32(index + 1)) }
        var secondary: [IPAddress] = []
        if role == .conferencing, random.chance(40) {
            secondary = (random.chance(80) ? [.ipv4] : families).map {
                Self.address($0, network: 2, host: UInt32(index + 1))
            }
        }
        return Node(
            name: "node-\(index)", role: role, addresses: primary, secondaryAddresses: secondary,
            features: random.chance(80) ? features : someFeatures(),
            ports: random.chance(80) ? ports : somePorts(),
            syslogTransport: random.chance(50) ? .udp : .tcp,
            peers: random.chance(80) ? peers : somePeers())
    }

    /// 10.NETWORK.0.HOST or 2001:db8:NETWORK::HOST.
    package static func address(
        _ family: AddressFamily, network: UInt8, host: UInt32
    ) -> IPAddress {
        switch family {
        case .ipv4:
            IPAddress(family: .ipv4, value: 10 << 24 | UInt128(network) << 16 | UInt128(host))
        case .ipv6:
            IPAddress(
                family: .ipv6,
                value: 0x2001_0db8 << 96 | UInt128(network) << 80 | UInt128(host))
        }
    }

    private mutating func someFeatures() -> Set<Feature> {
        Set(Feature.allCases.filter { _ in random.chance(50) })
    }

    private mutating func somePorts() -> PortAssignments {
        var ports = Profile.standard.ports
        if random.chance(40) {
            ports[.ephemeral] = 60000...65000
            ports[.signaling] = random.pick([10000...10999, 20000...20000, 33000...39999])
            ports[.media] = random.pick([40000...40099, 42000...55000])
        }
        if random.chance(30) { ports[.snmp] = [1161] }
        if random.chance(30) { ports[.syslog] = [6514] }
        if random.chance(30) { ports[.stunTurn] = [443] }
        if random.chance(30) { ports[.psom] = [444] }
        return ports
    }

    private mutating func somePeers() -> [PeerClass: Peers] {
        var peers: [PeerClass: Peers] = [:]
        for (index, peerClass) in PeerClass.allCases.enumerated() where random.chance(40) {
            peers[peerClass] = .only(peerAddresses(index))
        }
        return peers
    }

    private mutating func peerAddresses(_ index: Int) -> AddressSet {
        let host = UInt32(index) << 8
        var ranges: [ClosedRange<IPAddress>] = []
        for family in AddressFamily.allCases where random.chance(70) || ranges.isEmpty {
            let low = Self.address(family, network: 3, host: host + 16)
            let high = Self.address(
                family, network: 3, host: host + random.pick([16, 31, 40]))
            ranges.append(low...high)
        }
        return AddressSet(ranges: ranges)
    }

    private mutating func siteRules(_ nodes: [Node]) -> [SiteRule] {
        (0..<random.pick([0, 0, 1, 3])).map { index in
            let ipProtocol = random.pick(IPProtocol.allCases)
            let hasPorts = ipProtocol.hasPorts
            return SiteRule(
                name: "rule-\(index)",
                nodes: Set(nodes.map(\.name).filter { _ in random.chance(60) }),
                direction: random.pick(Direction.allCases), protocol: ipProtocol,
                sourcePorts: hasPorts && random.chance(30) ? [1024...2048] : .all,
                destinationPorts: hasPorts && random.chance(80)
                    ? random.pick([[9100...9100], [8000...8100, 9000...9000]]) : .all,
                peers: random.chance(50) ? .any : .only(peerAddresses(100 + index)))
        }
    }
}
