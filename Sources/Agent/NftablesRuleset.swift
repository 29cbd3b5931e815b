internal import Enforcement
package import Nftables
package import PortModel
package import Ruleset

/// The reconciler's kernel: nf_tables and connection tracking of this network
/// namespace.
extension NftablesKernel: RulesetKernel {
    package func observe() throws -> [ObservedTable] {
        try tables { $0.hasPrefix(ObservedTable.namePrefix) }.tables
    }

    package func flows(
        touching addresses: Set<IPAddress>, atMost limit: Int,
        where isWanted: @escaping @Sendable (Flow) -> Bool
    ) throws -> [Flow] {
        try FlowTracking.flows(touching: addresses, atMost: limit, where: isWanted)
    }

    package func end(_ flows: [Flow]) throws -> EndedFlows { try FlowTracking.end(flows) }

    package func shadows() throws -> [Shadow] {
        try ForeignRuleset.shadows { $0.hasPrefix(ObservedTable.namePrefix) }
    }
}
