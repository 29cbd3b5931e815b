package import LinuxSystem
package import PortModel
package import Ruleset

/// The kernel's nf_tables and connection tracking as the reconciler needs them.
package protocol RulesetKernel: Sendable {
    /// Our tables, the compiled ones and those that carry our stamp, as one consistent state, without
    /// counts: a table that nobody has changed since it was last read is not read again.
    ///
    /// - Throws: where the kernel's tables can't be read.
    func observeStructure(compiled: Set<TableID>) async throws -> [ObservedTable]
    /// The same for planning, which keeps nothing waiting.
    func observeStructureForPlans(compiled: Set<TableID>) async throws -> [ObservedTable]
    /// The counts of packets in tables of ours, and the pairs noted where that is wanted, without
    /// anything else that these hold. A table that is missing is left out.
    func counts(
        of tables: [Table], withNotes: Bool, _ urgency: Urgency
    ) async throws -> [ObservedTable]
    /// Commits a transaction whole or not at all.
    ///
    /// - Throws: where it is refused or unanswered, which does not prove that nothing was applied.
    func commit(_ transaction: Transaction) async throws
    /// Asks whether the transaction would be taken; changes nothing.
    ///
    /// - Throws: why it would not be.
    func check(_ transaction: Transaction) async throws
    /// Tracked flows whose first packet is from or to one of the addresses, once destination NAT is
    /// done, and that `isWanted` takes; at most `limit` of them.
    func flows(
        touching addresses: Set<IPAddress>, atMost limit: Int,
        where isWanted: @escaping @Sendable (Flow) -> Bool
    ) async throws -> [Flow]
    /// Ends exactly these flows, as far as they are still there.
    func end(_ flows: [Flow]) async throws -> EndedFlows
    /// The tables that are not ours, as far as they matter to these.
    func foreignTables(compiled: Set<TableID>) async throws -> ForeignTables
    func trackingUse(_ urgency: Urgency) async throws -> TrackingUse
    /// How many of the processes that do all this ended by themselves, since the agent's start.
    var workerEnds: Int { get }
}
