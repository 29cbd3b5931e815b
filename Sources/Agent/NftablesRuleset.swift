internal import Enforcement
package import Nftables
package import Ruleset

/// The reconciler's kernel: nf_tables and connection tracking of this network
/// namespace.
extension NftablesKernel: RulesetKernel {
    package func observeStructure() throws -> [ObservedTable] {
        try structure(withPrefix: ObservedTable.namePrefix).tables
    }

    package nonisolated func shadows() async throws -> [Shadow] {
        try await shadows(exceptPrefix: ObservedTable.namePrefix)
    }
}
