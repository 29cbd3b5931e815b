internal import Drawing
internal import Policy
internal import PortModel
internal import Ruleset
internal import Site

/// The facts about each row of a group of nodes.
struct GroupFacts {
    let group: NodeGroup
    let diagrams: [Diagram]
    /// Those of the node that stands for all, whether they permit something or not.
    let rows: [ResolvedRow]
    /// The rules of each row in nft's language, with their chains.
    let rules: [String: [String]]
    /// The rules that lead packets of the group's addresses, and no others, to chains of those.
    private let ways: [Direction: [String]]
    private let drawn: [Direction: [String: DrawnRow]]

    struct DrawnRow {
        let arrow: Diagram.Arrow
        let device: Diagram.Box
    }

    /// - Parameter compiled: the tables of the host that enforces the group; where they are not
    ///   among them, those of its own host.
    init(_ group: NodeGroup, in deployment: Deployment, compiled: [Table]) {
        self.group = group
        diagrams = deployment.diagrams(of: group)
        rows = group.representative.rows(in: deployment)
        var drawn: [Direction: [String: DrawnRow]] = [:]
        for diagram in diagrams {
            for device in diagram.devices {
                for arrow in device.arrows {
                    drawn[diagram.direction, default: [:]][arrow.id] = DrawnRow(
                        arrow: arrow, device: device.box)
                }
            }
        }
        self.drawn = drawn
        var rules: [String: [String]] = [:]
        func collect(_ chains: [Chain]) {
            for chain in chains {
                for rule in chain.rules {
                    guard let id = rule.purpose?.id else { continue }
                    rules[id, default: []].append("\(chain.name): \(rule.text)")
                }
            }
        }
        var ways: [Direction: [String]] = [:]
        func collectWays(
            _ chains: [Chain], _ direction: (Hook, _ target: ChainPurpose) -> Direction?
        ) {
            for chain in chains {
                guard let hook = chain.hook else { continue }
                for rule in chain.rules {
                    guard let target = rule.verdict?.jumpTarget,
                        let direction = direction(hook, target)
                    else { continue }
                    ways[direction, default: []].append("\(chain.name): \(rule.text)")
                }
            }
        }
        switch deployment.placement {
        case .gateway:
            func ownDirection(_ purpose: ChainPurpose) -> Direction? {
                guard let judged = purpose.judged, judged.policyClass == group.policyClass else {
                    return nil
                }
                return judged.direction
            }
            let chains = compiled.flatMap(\.chains)
            collect(chains.filter { ownDirection($0.purpose) != nil })
            collectWays(chains) { _, target in ownDirection(target) }
        case .local:
            let name = group.representative.tableName
            let table =
                compiled.first { $0.name == name }
                ?? Policy(of: group.representative, in: deployment).compileLocal()
            collect(table.chains)
            let ofRows = Set(
                table.chains.filter { $0.rules.contains(where: \.permits) }.map(\.purpose))
            collectWays(table.chains) { hook, target in
                guard ofRows.contains(target) else { return nil }
                return hook.point == .output ? .outbound : .inbound
            }
        }
        self.rules = rules
        self.ways = ways
    }

    /// The rules, with their chains, that lead packets of the group's addresses to chains of its
    /// rows.
    func ways(_ direction: Direction) -> [String] { ways[direction] ?? [] }

    /// How the diagram tells an open row.
    func drawn(_ row: ResolvedRow) -> DrawnRow? { drawn[row.direction]?[row.id] }

    /// The rows and rules that permit something.
    var open: [ResolvedRow] { rows.filter { $0.state == .open } }
}
