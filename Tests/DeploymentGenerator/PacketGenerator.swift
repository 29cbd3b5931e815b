package import Policy
internal import PortModel
package import Site

/// Makes packets that lie on, beside and far from what a deployment's rows permit.
package struct PacketGenerator {
    private let nodeAddresses: [IPAddress]
    private let otherAddresses: [IPAddress]
    private let ports: [UInt16]
    package var random: SeededGenerator

    /// - Parameter policies: of the nodes whose packets are wanted.
    package init(_ deployment: Deployment, _ policies: [Policy], seed: UInt64) {
        random = SeededGenerator(seed: seed)
        nodeAddresses = policies.flatMap(\.node.allAddresses)
        var others = Set(deployment.nodes.flatMap(\.allAddresses))
        var interesting: Set<UInt16> = [0, 1, 67, 68, 546, 547, 1024, 32768, 65535]
        for permit in policies.flatMap(\.permits) {
            if case .only(let peers) = permit.peers {
                for range in peers.ranges { others.formUnion(Self.around(range)) }
            }
            for interval in permit.sourcePorts.intervals + permit.destinationPorts.intervals {
                for bound in [interval.lowerBound, interval.upperBound] {
                    interesting.formUnion([bound, bound &- 1, bound &+ 1])
                }
            }
        }
        for family in AddressFamily.allCases {
            others.insert(DeploymentGenerator.address(family, network: 9, host: 9))
        }
        otherAddresses = others.sorted()
        ports = interesting.sorted()
    }

    private static func around(_ range: ClosedRange<IPAddress>) -> [IPAddress] {
        let (low, high) = (range.lowerBound, range.upperBound)
        return [
            low, high, IPAddress(family: low.family, value: low.value - 1),
            IPAddress(family: high.family, value: high.value + 1),
        ]
    }

    package mutating func packet() -> Packet {
        let direction = random.pick(Direction.allCases)
        var node = random.pick(nodeAddresses)
        if random.chance(8) { node = random.pick(otherAddresses) }
        let family = node.family
        let peer = random.pick(otherAddresses.filter { $0.family == family })
        let transport = transport(family)
        return Packet(
            direction, from: direction == .inbound ? peer : node,
            to: direction == .inbound ? node : peer, transport,
            connection: random.chance(75)
                ? .new : random.pick([.established, .related, .invalid]),
            isLoopback: random.chance(3), isProtected: random.chance(10),
            isTranslated: random.chance(10),
            hopLimit: random.chance(50) ? 255 : 64)
    }

    private mutating func transport(_ family: AddressFamily) -> Transport {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40: return .tcp(source: port(), destination: port())
        case 40..<78: return .udp(source: port(), destination: port())
        case 78..<80:
            let ports = random.pick(Self.dhcpPorts)
            return .udp(source: ports.0, destination: ports.1)
        case 80..<88: return .esp
        case 88..<96:
            let types: [UInt8] =
                family == .ipv4
                ? [0, 3, 4, 5, 8, 11, 12, 13]
                : [1, 2, 4, 5, 128, 129, 130, 133, 135, 137, 138, 143]
            return .icmp(type: random.pick(types))
        default: return .other(random.pick([4, 41, 47, 51, 132]))
        }
    }

    /// DHCP's, and near misses that other rows may answer.
    private static let dhcpPorts: [(UInt16, UInt16)] = [
        (68, 67), (67, 68), (546, 547), (547, 546), (67, 500), (68, 123), (547, 500), (546, 123),
    ]

    private mutating func port() -> UInt16 {
        random.chance(85) ? random.pick(ports) : UInt16.random(in: 0...65535, using: &random)
    }
}
