internal import CMnl
package import LinuxSystem
package import Ruleset

// What packets count and note in our tables. Read by netlink alone, since readers ask for it all the
// time: libnftables would read every rule of a table for it.

extension NftablesKernel {
    /// The values of the tables' counters and of those sets in which packets count or note, without
    /// anything else that the tables hold. Tables and sets that are missing are left out.
    ///
    /// - Parameters:
    ///   - tables: ours, as they were compiled.
    ///   - withNotes: whether the pairs of addresses that packets noted are wanted, which may be many.
    package nonisolated func counts(
        of tables: [Table], withNotes: Bool, _ urgency: Urgency
    ) async throws(NftablesError) -> [ObservedTable] {
        let wanted = Dictionary(
            tables.map { ($0.name, $0.countingSets(withNotes: withNotes)) },
            uniquingKeysWith: { $1 })
        let request = CountsRequest(
            tables: tables.map {
                CountsRequest.CountedTable(
                    name: $0.name, sets: wanted[$0.name, default: []].map(\.name))
            })
        return try await reader(urgency).perform(request).tables.map { counts in
            let elements = Dictionary(
                counts.elements.map { ($0.set, SetElements(bytes: $0.attributes)) },
                uniquingKeysWith: { $1 })
            return ObservedTable(
                name: counts.table,
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

extension NetlinkSocket {
    /// The values of a table's counters, and the elements of some of its sets; nothing where there is
    /// no such table.
    func counts(
        of table: CountsRequest.CountedTable
    ) throws(NftablesError) -> CountsRequest.Counts {
        var counts = CountsRequest.Counts(table: table.name, counters: [], elements: [])
        let name = KernelName(table.name)
        try request(
            NFT_MSG_GETOBJ, flags: NLM_F_DUMP, names: [(NFTA_OBJ_TABLE.rawValue, name)]
        ) { message in
            let attributes = message.attributes
            guard attributes[NFTA_OBJ_TABLE]?.name == name,
                attributes[NFTA_OBJ_TYPE]?.number(UInt32.self) == UInt32(NFT_OBJECT_COUNTER),
                let name = attributes[NFTA_OBJ_NAME]?.text,
                let data = attributes[NFTA_OBJ_DATA]?.nested,
                let packets = data[NFTA_COUNTER_PACKETS]?.number(UInt64.self),
                let bytes = data[NFTA_COUNTER_BYTES]?.number(UInt64.self)
            else { return }
            counts.counters.append(
                NamedCounterValue(name: name, value: CounterValue(packets: packets, bytes: bytes)))
        }
        for set in table.sets {
            do throws(NftablesError) {
                counts.elements.append(
                    ListedElements(set: set, attributes: try elements(of: set, in: name)))
            } catch {
                if error.code != .missing { throw error }
            }
        }
        return counts
    }

    /// The elements of a set as the kernel's messages have them: see ``SetElements``.
    func elements(of set: String, in table: KernelName) throws(NftablesError) -> [UInt8] {
        var found: [UInt8] = []
        try request(
            NFT_MSG_GETSETELEM, flags: NLM_F_DUMP,
            names: [
                (NFTA_SET_ELEM_LIST_TABLE.rawValue, table),
                (NFTA_SET_ELEM_LIST_SET.rawValue, KernelName(set)),
            ]
        ) { message in
            if let elements = message.attributes[NFTA_SET_ELEM_LIST_ELEMENTS] {
                found += elements.bytes
            }
        }
        return found
    }
}
