internal import PortModel
package import Ruleset
internal import Site

/// Conditions and rules of every kind. The compiler asks here for those of a new kind, and tests hold
/// whatever reads rules against them.
package enum RuleSamples {
    package enum Condition: CaseIterable {
        case family, source, destination, sourceIn, destinationIn, protocolNumber, sourcePorts
        case destinationPorts, icmpType, hopLimit, inputIsLoopback, outputIsLoopback, connection
        case isTranslated, wasDecrypted, willBeEncrypted, isAdopted, continuesConnection

        package init(_ match: Match) {
            self =
                switch match {
                case .family: .family
                case .source: .source
                case .destination: .destination
                case .sourceIn: .sourceIn
                case .destinationIn: .destinationIn
                case .protocolNumber: .protocolNumber
                case .sourcePorts: .sourcePorts
                case .destinationPorts: .destinationPorts
                case .icmpType: .icmpType
                case .hopLimit: .hopLimit
                case .inputIsLoopback: .inputIsLoopback
                case .outputIsLoopback: .outputIsLoopback
                case .connection: .connection
                case .isTranslated: .isTranslated
                case .wasDecrypted: .wasDecrypted
                case .willBeEncrypted: .willBeEncrypted
                case .isAdopted: .isAdopted
                case .continuesConnection: .continuesConnection
                }
        }

        package var samples: [Match] {
            switch self {
            case .family: AddressFamily.allCases.map(Match.family)
            case .source: addresses.map(Match.source)
            case .destination: addresses.map(Match.destination)
            case .sourceIn: sets.map { .sourceIn(set: $0.name, $0.family) }
            case .destinationIn: sets.map { .destinationIn(set: $0.name, $0.family) }
            case .protocolNumber: [.protocolNumber(50), .protocolNumber(0)]
            case .sourcePorts: ports.map { .sourcePorts($0, $1) }
            case .destinationPorts: ports.map { .destinationPorts($0, $1) }
            case .icmpType: [.icmpType(.ipv4, 3...3), .icmpType(.ipv6, 133...137)]
            case .hopLimit: [.hopLimit(255)]
            case .inputIsLoopback: [.inputIsLoopback]
            case .outputIsLoopback: [.outputIsLoopback]
            case .connection:
                TrackedState.allCases.map { .connection([$0]) }
                    + [.connection([.related, .established])]
            case .isTranslated: [.isTranslated]
            case .wasDecrypted: [.wasDecrypted]
            case .willBeEncrypted: [.willBeEncrypted]
            case .isAdopted: [.isAdopted]
            case .continuesConnection: [.continuesConnection]
            }
        }
    }

    package static let matches = Condition.allCases.flatMap(\.samples)

    private static let addresses = [
        IPAddress(family: .ipv4, value: 0x0a00_0001),
        IPAddress(family: .ipv6, value: 0x2001_0db8 << 96 | 1),
    ]

    private static let ports: [(IPProtocol, ClosedRange<UInt16>)] = IPProtocol.allCases
        .filter(\.hasPorts).flatMap { [($0, 123...123), ($0, 33_000...39_999)] }

    private static let sets = addresses.map { address in
        NamedSet(
            name: "mesh.\(address.family.rawValue)", family: address.family, kind: .addresses,
            addresses: AddressSet([address]))
    }

    private static let noted = NoteSet.allCases.flatMap { set in
        AddressFamily.allCases.map { family in
            NamedSet(
                name: set.name(family), family: family, kind: set.kind, addresses: AddressSet())
        }
    }

    private static let verdicts: [Verdict?] = [
        nil, .accept, .drop, .return, .jump("input_tcp"), .goto("adopt_output"),
    ]

    /// Rules with every condition, every statement and every verdict.
    package static let rules: [Rule] =
        matches.map { Rule([$0], counter: "a.b", .accept, comment: "two words") }
        + verdicts.map { Rule([], $0, comment: "only") } + verdicts.map { Rule([], $0) }
        + noted.map { set in
            Rule([], counter: "a.b", nil, note: Note(set: set.name, family: set.family))
        } + [
            Rule([.inputIsLoopback, .hopLimit(1)], counter: "a.b", notrack: true, .return),
            Rule(
                [.connection([.invalid])], nil, comment: "sampled",
                sampling: Sampling(counter: "drop.in.invalid", group: 5001, rate: 20)),
            Rule([.source(addresses[0]), .destinationPorts(.udp, 40_000...49_999)], .accept),
            Rule([.sourcePorts(.udp, 500...500), .destinationPorts(.udp, 500...500)], .accept),
        ]

    /// All of them in one chain, with everything that they refer to.
    package static let table = Table(
        family: .inet, name: "pexip_fw_samples", counters: ["a.b"],
        sets: sets + noted + [
            NamedSet(
                name: Table.adoptionSet, family: .ipv4, kind: .adoption, addresses: AddressSet())
        ],
        chains: [
            Chain(name: "all_rules", rules: rules.filter { !$0.isEmpty }),
            Chain(name: "input_tcp", rules: []), Chain(name: "adopt_output", rules: []),
        ])
}

extension Rule {
    /// Which the kernel does not take.
    fileprivate var isEmpty: Bool {
        self == Rule([], nil) || self == Rule([], nil, comment: "only")
    }
}
