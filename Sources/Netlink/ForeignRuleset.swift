internal import CMnl
internal import Glibc
internal import LinuxSystem
package import Ruleset
internal import Site

/// Reads what other programs' tables do at hooks, in this process's network namespace.
///
/// By netlink alone: listing all tables through libnftables would let whatever stands in a foreign
/// one end the process. Nothing of a foreign table is kept but its chains' names and effects.
package enum ForeignRuleset {
    /// A reading that others keep disturbing is taken as it is: they cause another one.
    private static let readings = 2

    /// The findings about all tables that are not ours, as far as they matter to those that are.
    ///
    /// Blocks for as long as the kernel takes to tell all rules of tables with base chains.
    ///
    /// - Parameter compiled: tables that are ours whatever they hold.
    /// - Throws: where the kernel can't be asked.
    package static func tables(
        compiled: Set<TableID>
    ) throws(KernelError) -> ForeignTables {
        let socket = try NetlinkSocket()
        for reading in 1...readings {
            let isLast = reading == readings
            let before = try socket.rulesetGeneration()
            var found = ForeignTables()
            do throws(KernelError) {
                let others = try TableCensus(socket, compiled: compiled).others
                let chains = try ForeignReading(socket: socket).chains(of: others)
                found.shadows = chains.shadows
                found.translations = chains.translations
                found.lookalikes = others.compactMap(Lookalike.init).sorted { $0.id < $1.id }
            } catch {
                // The object that was asked about may have gone.
                if isLast { throw error }
                let after = try socket.rulesetGeneration()
                if after == before { throw error }
                continue
            }
            let after = try socket.rulesetGeneration()
            if isLast || after == before {
                for (table, family) in legacyTables() {
                    if table == "nat" {
                        found.translations.append(
                            SourceTranslation(family: family, table: table, chain: nil))
                    } else {
                        found.shadows.append(Shadow(legacy: table, family: family))
                    }
                }
                found.shadows.sort()
                found.translations.sort()
                return found
            }
        }
        return ForeignTables()
    }

    /// The tables of iptables-legacy. A table stands in the list from its first use on, whether it
    /// holds rules or not.
    private static func legacyTables() -> [(table: String, family: TableFamily)] {
        let lists: [(String, TableFamily)] = [
            ("ip_tables_names", .ip), ("ip6_tables_names", .ip6), ("arp_tables_names", .arp),
        ]
        return lists.flatMap { list, family in
            let text: [UInt8]
            do throws(SystemError) {
                text = try AtomicFile.read("/proc/net/\(list)", limit: 4096, truncating: true)
            } catch {
                // Without the module there is none; and a list that must not be read tells nothing
                // that an administrator could act on.
                return [(String, TableFamily)]()
            }
            return String(decoding: text, as: UTF8.self).split(separator: "\n")
                .map { (String($0), family) }
        }
    }
}

extension NetlinkSocket {
    /// The ruleset generation: changes with every transaction that anyone commits.
    ///
    /// - Throws: where netlink can't be used, or the kernel does not tell.
    package func rulesetGeneration() throws(KernelError) -> UInt32 {
        var generation: UInt32?
        try request(NFT_MSG_GETGEN, flags: 0, family: UInt8(NFPROTO_UNSPEC)) {
            generation = $0.number(Int(NFTA_GEN_ID.rawValue))
        }
        guard let generation else {
            throw KernelError(.unreadable, "the kernel does not tell its ruleset generation")
        }
        return generation
    }
}

extension Lookalike {
    /// nil for a table that nobody could take for ours.
    fileprivate init?(_ table: TableCensus.Entry) {
        guard let id = table.id, TableFamily.ofPlacements.contains(id.family),
            OwnTable.isLikeOurs(table.name.bytes)
        else { return nil }
        self.init(id, handle: table.handle)
    }
}

/// One reading of all foreign chains.
private struct ForeignReading {
    private struct TableKey: Hashable {
        var family: UInt8
        var name: KernelName
    }

    /// A table's chains by their names, which need be no text.
    private typealias Chains = [KernelName: ForeignChain]

    let socket: NetlinkSocket

    func chains(of tables: [TableCensus.Entry]) throws(KernelError) -> [ForeignChain] {
        // A dormant table's chains are detached.
        let awake = tables.filter { $0.flags & UInt32(NFT_TABLE_F_DORMANT.rawValue) == 0 }
        if awake.isEmpty { return [] }
        let keys = Set(awake.map { TableKey(family: $0.family, name: $0.name) })
        var chains: [TableKey: Chains] = [:]
        try socket.request(
            NFT_MSG_GETCHAIN, flags: NLM_F_DUMP, family: UInt8(NFPROTO_UNSPEC)
        ) { message in
            let attributes = message.attributes
            guard let chain = ForeignChain(message), let table = attributes[NFTA_CHAIN_TABLE]?.name,
                let name = attributes[NFTA_CHAIN_NAME]?.name
            else { return }
            let key = TableKey(family: message.family, name: table)
            if keys.contains(key) { chains[key, default: [:]][name] = chain }
        }
        var found: [ForeignChain] = []
        // Without a base chain no packet comes by.
        for (table, var chains) in chains
        where chains.values.contains(where: { $0.attachment != nil }) {
            try readRules(of: table, into: &chains)
            found += chains.values
        }
        return found
    }

    private func readRules(
        of table: TableKey, into chains: inout Chains
    ) throws(KernelError) {
        /// The chains that look verdicts up in a map, by the map's name.
        var lookups: [KernelName: Set<KernelName>] = [:]
        /// Those that look up an object, likewise.
        var references: [KernelName: Set<KernelName>] = [:]
        try socket.request(
            NFT_MSG_GETRULE, flags: NLM_F_DUMP, family: table.family,
            names: [(NFTA_RULE_TABLE.rawValue, table.name)]
        ) { message in
            let attributes = message.attributes
            guard attributes[NFTA_RULE_TABLE]?.name == table.name,
                let chain = attributes[NFTA_RULE_CHAIN]?.name,
                let expressions = attributes[NFTA_RULE_EXPRESSIONS]?.nested
            else { return }
            expressions.forEach { _, expression in
                switch ExpressionMeaning(expression, family: table.family) {
                case .nothing: break
                case .translatesSource: chains[chain]?.translatesSources = true
                case .effects(let effects): chains[chain]?.effects.formUnion(effects)
                case .leads(let target): chains[chain]?.targets.insert(target.text)
                case .looksUp(let map): lookups[map, default: []].insert(chain)
                case .refers(let map): references[map, default: []].insert(chain)
                }
            }
        }
        for (map, users) in lookups {
            try readVerdicts(of: map, in: table, for: users, into: &chains)
        }
        if !references.isEmpty { try readObjects(of: references, in: table, into: &chains) }
    }

    /// - Parameter maps: to objects, with the chains that refer to these.
    private func readObjects(
        of maps: [KernelName: Set<KernelName>], in table: TableKey, into chains: inout Chains
    ) throws(KernelError) {
        var types: [KernelName: UInt32] = [:]
        try socket.request(
            NFT_MSG_GETSET, flags: NLM_F_DUMP, family: table.family,
            names: [(NFTA_SET_TABLE.rawValue, table.name)]
        ) { message in
            let attributes = message.attributes
            guard attributes[NFTA_SET_TABLE]?.name == table.name,
                let name = attributes[NFTA_SET_NAME]?.name
            else { return }
            types[name] = attributes[NFTA_SET_OBJ_TYPE]?.number()
        }
        for (map, users) in maps {
            guard case .effects(let effects) = ExpressionMeaning(object: types[map]) else {
                continue
            }
            for user in users { chains[user]?.effects.formUnion(effects) }
        }
    }

    private func readVerdicts(
        of map: KernelName, in table: TableKey, for users: Set<KernelName>,
        into chains: inout Chains
    ) throws(KernelError) {
        var effects: Set<Shadow.Reason> = []
        var targets: Set<String> = []
        try socket.request(
            NFT_MSG_GETSETELEM, flags: NLM_F_DUMP, family: table.family,
            names: [
                (NFTA_SET_ELEM_LIST_TABLE.rawValue, table.name),
                (NFTA_SET_ELEM_LIST_SET.rawValue, map),
            ]
        ) { message in
            guard let elements = message.attributes[NFTA_SET_ELEM_LIST_ELEMENTS]?.nested else {
                return
            }
            elements.forEach { _, element in
                guard let data = element.nested[NFTA_SET_ELEM_DATA] else { return }
                switch ExpressionMeaning(verdictIn: data) {
                case .effects(let found): effects.formUnion(found)
                case .leads(let target): targets.insert(target.text)
                case .nothing, .translatesSource, .looksUp, .refers: break
                }
            }
        }
        for user in users {
            chains[user]?.effects.formUnion(effects)
            chains[user]?.targets.formUnion(targets)
        }
    }
}

extension ForeignChain {
    /// nil for what is no chain that packets of ours could meet.
    fileprivate init?(_ message: borrowing NetlinkMessage) {
        let attributes = message.attributes
        guard let family = TableFamily(number: message.family),
            let table = attributes[NFTA_CHAIN_TABLE]?.text,
            let name = attributes[NFTA_CHAIN_NAME]?.text
        else { return nil }
        self.init(family, table, name)
        guard let hook = attributes[NFTA_CHAIN_HOOK]?.nested else { return }
        guard let number = hook[NFTA_HOOK_HOOKNUM]?.number(UInt32.self),
            let point = HookPoint(number: Int32(bitPattern: number), of: family)
        else { return }
        let priority = hook[NFTA_HOOK_PRIORITY]?.number(UInt32.self) ?? 0
        attachment = Attachment(
            point, priority: Int(Int32(bitPattern: priority)),
            dropsByPolicy: attributes[NFTA_CHAIN_POLICY]?.number(UInt32.self) == UInt32(NF_DROP))
    }
}

extension ForeignChain.HookPoint {
    /// The kernel's numbers, which mean something else in each kind of family
    /// (`enum nf_inet_hooks`, `NF_BR_*`, `NF_ARP_*`, `enum nf_dev_hooks`).
    fileprivate init?(number: Int32, of family: TableFamily) {
        let points: [Self] =
            switch family {
            case .ip, .ip6, .inet, .bridge:
                [.prerouting, .input, .forward, .output, .postrouting, .ingress]
            case .arp: [.input, .output, .forward]
            case .netdev: [.ingress, .egress]
            }
        guard points.indices.contains(Int(number)) else { return nil }
        self = points[Int(number)]
    }
}
