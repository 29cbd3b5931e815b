@preconcurrency internal import Dispatch
internal import Enforcement
package import Nftables
package import PortModel
package import Ruleset

private let shadowQueue = DispatchQueue(label: "shadows")

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

    /// On a queue of its own: others' tables may be large, and no repair is to wait for them.
    package nonisolated func shadows() async throws -> [Shadow] {
        try await withCheckedThrowingContinuation { continuation in
            shadowQueue.async {
                continuation.resume(
                    with: Result { () throws(NftablesError) -> [Shadow] in
                        try ForeignRuleset.shadows { $0.hasPrefix(ObservedTable.namePrefix) }
                    })
            }
        }
    }
}
