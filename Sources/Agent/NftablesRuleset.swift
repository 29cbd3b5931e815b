internal import Enforcement
package import Nftables
package import Ruleset

/// The reconciler's kernel: nf_tables and connection tracking of this network
/// namespace.
extension NftablesKernel: RulesetKernel {
    package func observeStructure(compiled: Set<TableID>) throws -> [ObservedTable] {
        try structure(compiled: compiled).tables
    }

    package nonisolated func observeStructureForPlans(
        compiled: Set<TableID>
    ) async throws -> [ObservedTable] {
        try await planningStructure(compiled: compiled).tables
    }

    package nonisolated func foreignTables(
        compiled: Set<TableID>
    ) async throws -> ForeignTables {
        try await foreign(compiled: compiled)
    }
}
