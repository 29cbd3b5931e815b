internal import CMnl
package import Ruleset
internal import Site

/// All tables of this network namespace, told by netlink, and which of them are ours.
///
/// Nothing of others' tables, not even their names, comes near libnftables.
package struct TableCensus {
    /// A table as the kernel lists it.
    package struct Entry: Hashable {
        /// An `NFPROTO_` number.
        package var family: UInt8
        /// Any bytes but NUL: others' names need be no text.
        package var name: KernelName
        /// As the kernel has them, `NFT_TABLE_F_…`.
        package var flags: UInt32
        /// By which nft's language names a table whatever it is called.
        package var handle: UInt64

        /// nil for a family that this version does not know. Bytes of the name that are no UTF-8
        /// are replaced.
        var id: TableID? { TableFamily(number: family).map { TableID($0, name.text) } }
    }

    /// A table of ours.
    package struct Own: Hashable {
        /// Its name is as we give it.
        package var id: TableID
        /// As the kernel has them, `NFT_TABLE_F_…`.
        package var flags: UInt32

        /// The flags in words.
        package var flagNames: String {
            let names = [(NFT_TABLE_F_DORMANT, "dormant"), (NFT_TABLE_F_OWNER, "owner")]
                .filter { flags & UInt32($0.0.rawValue) != 0 }.map(\.1)
            return names.isEmpty ? "\(flags)" : names.joined(separator: ", ")
        }
    }

    /// Those that ``OwnTable`` says are ours.
    package private(set) var ours: [Own] = []
    /// All other tables, of whatever family.
    package private(set) var others: [Entry] = []

    /// - Parameter compiled: tables that are ours whatever they hold.
    /// - Throws: where the kernel can't be asked.
    package init(_ socket: NetlinkSocket, compiled: Set<TableID>) throws(KernelError) {
        var all: [Entry] = []
        try socket.request(
            NFT_MSG_GETTABLE, flags: NLM_F_DUMP, family: UInt8(NFPROTO_UNSPEC)
        ) { message in
            let attributes = message.attributes
            guard let name = attributes[NFTA_TABLE_NAME]?.name else { return }
            all.append(
                Entry(
                    family: message.family, name: name,
                    flags: attributes[NFTA_TABLE_FLAGS]?.number() ?? 0,
                    handle: attributes[NFTA_TABLE_HANDLE]?.number() ?? 0))
        }
        for entry in all {
            if let id = entry.id,
                try OwnTable.isOurs(
                    id, compiled: compiled,
                    stamp: { () throws(KernelError) in try socket.stamp(of: id) })
            {
                ours.append(Own(id: id, flags: entry.flags))
            } else {
                others.append(entry)
            }
        }
    }
}

extension NetlinkSocket {
    /// The stamp that a table carries.
    fileprivate func stamp(of table: TableID) throws(KernelError) -> Stamp? {
        let name = KernelName(table.name)
        let chain = KernelName(Stamp.chainName)
        var isFirst = true
        var stamp: Stamp?
        try request(
            NFT_MSG_GETRULE, flags: NLM_F_DUMP, family: table.family.number,
            names: [(NFTA_RULE_TABLE.rawValue, name), (NFTA_RULE_CHAIN.rawValue, chain)]
        ) { message in
            let attributes = message.attributes
            guard isFirst, attributes[NFTA_RULE_TABLE]?.name == name,
                attributes[NFTA_RULE_CHAIN]?.name == chain
            else { return }
            isFirst = false
            stamp = attributes[NFTA_RULE_USERDATA]?.comment.flatMap(Stamp.init(comment:))
        }
        return stamp
    }

    /// Objects of one of our tables whose names no object of ours has, as words of its listing:
    /// some of them end libnftables, which takes all names for UTF-8.
    ///
    /// - Throws: where the kernel can't be asked.
    package func strangelyNamed(in table: TableID) throws(KernelError) -> [String] {
        let family = table.family.number
        let tableName = KernelName(table.name)
        var found: [String] = []
        func look(_ kind: String, _ owner: NetlinkPayload?, _ name: NetlinkPayload?) {
            guard owner?.name == tableName, let name = name?.name, !ObjectName.isPlain(name.bytes)
            else { return }
            found.append("\(kind) \(ObjectName.words(name.text))")
        }
        try request(NFT_MSG_GETCHAIN, flags: NLM_F_DUMP, family: family) { message in
            let attributes = message.attributes
            let flags: UInt32 = attributes[NFTA_CHAIN_FLAGS]?.number() ?? 0
            // The kernel names what stands within a rule.
            if flags & UInt32(NFT_CHAIN_BINDING.rawValue) != 0 { return }
            look("chain", attributes[NFTA_CHAIN_TABLE], attributes[NFTA_CHAIN_NAME])
        }
        try request(
            NFT_MSG_GETSET, flags: NLM_F_DUMP, family: family,
            names: [(NFTA_SET_TABLE.rawValue, tableName)]
        ) { message in
            let attributes = message.attributes
            let flags: UInt32 = attributes[NFTA_SET_FLAGS]?.number() ?? 0
            if flags & NFT_SET_ANONYMOUS.rawValue != 0 { return }
            look("set", attributes[NFTA_SET_TABLE], attributes[NFTA_SET_NAME])
        }
        try request(
            NFT_MSG_GETOBJ, flags: NLM_F_DUMP, family: family,
            names: [(NFTA_OBJ_TABLE.rawValue, tableName)]
        ) { message in
            let attributes = message.attributes
            look("object", attributes[NFTA_OBJ_TABLE], attributes[NFTA_OBJ_NAME])
        }
        try request(
            NFT_MSG_GETFLOWTABLE, flags: NLM_F_DUMP, family: family,
            names: [(NFTA_FLOWTABLE_TABLE.rawValue, tableName)]
        ) { message in
            let attributes = message.attributes
            look("flowtable", attributes[NFTA_FLOWTABLE_TABLE], attributes[NFTA_FLOWTABLE_NAME])
        }
        return found
    }
}

extension NetlinkPayload {
    /// The comment among a rule's user data, which the kernel keeps without looking at them: a type,
    /// a length and a value, one after another (`NFTNL_UDATA_RULE_COMMENT` is 0).
    fileprivate var comment: String? {
        var rest = bytes[...]
        while rest.count >= 2 {
            let (type, length) = (rest[rest.startIndex], Int(rest[rest.startIndex + 1]))
            rest = rest.dropFirst(2)
            guard rest.count >= length else { return nil }
            if type == 0 {
                return String(decoding: rest.prefix(length).prefix { $0 != 0 }, as: UTF8.self)
            }
            rest = rest.dropFirst(length)
        }
        return nil
    }
}
