internal import CMnl
package import Ruleset
internal import Site

/// The elements of one set.
package struct ListedElements: Hashable, Sendable {
    /// The set's name in the kernel.
    package var set: String
    /// As the kernel's messages have them: see ``SetElements``.
    package var attributes: [UInt8]

    /// - Parameter attributes: whole ones, as they came.
    package init(set: String, attributes: [UInt8]) {
        self.set = set
        self.attributes = attributes
    }
}

/// A named counter's value.
package struct NamedCounterValue: Hashable, Sendable {
    /// The counter's name in the kernel.
    package var name: String
    /// As it was at the moment of the message; counters of one table are not read at once.
    package var value: CounterValue

    /// - Parameter name: in the kernel.
    package init(name: String, value: CounterValue) {
        self.name = name
        self.value = value
    }
}

extension NetlinkSocket {
    /// The values of a table's counters, and the elements of some of its sets; nothing where there is
    /// no such table.
    package func counts(
        of table: TableID, sets: [String]
    ) throws(KernelError) -> (counters: [NamedCounterValue], elements: [ListedElements]) {
        var counters: [NamedCounterValue] = []
        var elements: [ListedElements] = []
        let tableName = KernelName(table.name)
        try request(
            NFT_MSG_GETOBJ, flags: NLM_F_DUMP, family: table.family.number,
            names: [(NFTA_OBJ_TABLE.rawValue, tableName)]
        ) { message in
            let attributes = message.attributes
            guard attributes[NFTA_OBJ_TABLE]?.name == tableName,
                attributes[NFTA_OBJ_TYPE]?.number(UInt32.self) == UInt32(NFT_OBJECT_COUNTER),
                let name = attributes[NFTA_OBJ_NAME]?.text,
                let data = attributes[NFTA_OBJ_DATA]?.nested,
                let packets = data[NFTA_COUNTER_PACKETS]?.number(UInt64.self),
                let bytes = data[NFTA_COUNTER_BYTES]?.number(UInt64.self)
            else { return }
            counters.append(
                NamedCounterValue(name: name, value: CounterValue(packets: packets, bytes: bytes)))
        }
        for set in sets {
            do throws(KernelError) {
                elements.append(
                    ListedElements(set: set, attributes: try self.elements(of: set, in: table)))
            } catch {
                if error.code != .missing { throw error }
            }
        }
        return (counters, elements)
    }

    /// The elements of a set as the kernel's messages have them: see ``SetElements``.
    ///
    /// - Throws: ``KernelError/Code/missing`` where there is no such table or set.
    package func elements(of set: String, in table: TableID) throws(KernelError) -> [UInt8] {
        var found: [UInt8] = []
        try request(
            NFT_MSG_GETSETELEM, flags: NLM_F_DUMP, family: table.family.number,
            names: [
                (NFTA_SET_ELEM_LIST_TABLE.rawValue, KernelName(table.name)),
                (NFTA_SET_ELEM_LIST_SET.rawValue, KernelName(set)),
            ]
        ) { message in
            if let elements = message.attributes[NFTA_SET_ELEM_LIST_ELEMENTS] {
                found += elements.bytes
            }
        }
        return found
    }

    /// The elements of the table's sets, in the order of the sets.
    ///
    /// - Parameter wantsNoted: whether also the notes of packets, which may be many.
    package func elementsOfSets(
        in table: TableID, _ wantsNoted: Bool
    ) throws(KernelError) -> [ListedElements] {
        var found: [ListedElements] = []
        try request(
            NFT_MSG_GETSET, flags: NLM_F_DUMP, family: table.family.number,
            names: [(NFTA_SET_TABLE.rawValue, KernelName(table.name))]
        ) { message in
            guard let name = message.string(Int(NFTA_SET_NAME.rawValue)) else { return }
            let flags = message.number(Int(NFTA_SET_FLAGS.rawValue)) ?? 0
            // None of ours is a map, nor stands in a rule.
            var ignored =
                NFT_SET_ANONYMOUS.rawValue | NFT_SET_MAP.rawValue | NFT_SET_OBJECT.rawValue
            if !wantsNoted { ignored |= NFT_SET_TIMEOUT.rawValue }
            if flags & ignored == 0 { found.append(ListedElements(set: name, attributes: [])) }
        }
        for index in found.indices {
            found[index].attributes = try elements(of: found[index].set, in: table)
        }
        return found
    }
}
