package import LinuxSystem
package import Netlink
package import Ruleset

// Counters and notes of packets in our tables. They are read by netlink alone, since readers ask
// for them all the time: libnftables would read every rule of a table for that.

extension NftablesKernel {
    /// The values of the tables' counters and of those sets in which packets count or note, without
    /// anything else that the tables hold. Tables and sets that are missing are left out.
    ///
    /// - Parameters:
    ///   - tables: ours, as they were compiled.
    ///   - withNotes: whether the pairs of addresses that packets noted are wanted, which may be
    ///     many.
    /// - Throws: ``KernelError`` where no worker answers, or netlink can't be used.
    package nonisolated func counts(
        of tables: [Table], withNotes: Bool, _ urgency: Urgency
    ) async throws(KernelError) -> [ObservedTable] {
        let wanted = Dictionary(
            tables.map { ($0.id, $0.countingSets(withNotes: withNotes)) },
            uniquingKeysWith: { $1 })
        let request = CountsRequest(
            tables: tables.map {
                CountsRequest.CountedTable(
                    id: $0.id, sets: wanted[$0.id, default: []].map(\.name))
            })
        return try await reader(urgency).perform(request).tables.map { counts in
            let elements = Dictionary(
                counts.elements.map { ($0.set, SetElements(bytes: $0.attributes)) },
                uniquingKeysWith: { $1 })
            return ObservedTable(
                counts.table,
                counters: Dictionary(
                    counts.counters.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
                sets: wanted[counts.table, default: []].compactMap { set in
                    elements[set.name].map { ObservedSet(countsOf: set, $0) }
                })
        }
    }
}

extension Table {
    fileprivate func countingSets(withNotes: Bool) -> [NamedSet] {
        sets.filter { set in
            switch set.kind {
            case .countedAddresses: true
            case .pairs, .strayPairs: withNotes
            case .addresses, .intervals, .adoption: false
            }
        }
    }
}

extension ObservedSet {
    /// - Parameter set: one in which packets count or note.
    fileprivate init(countsOf set: NamedSet, _ elements: SetElements) {
        self.init(
            name: set.name, set: set,
            counters: set.kind == .countedAddresses
                ? elements.addresses(set.family)?.counters ?? [:] : [:],
            noted: set.kind.noteLimits.flatMap { elements.noted(set.family, $0) } ?? [:])
    }
}
