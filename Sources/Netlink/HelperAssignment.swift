internal import CMnl
internal import Site

/// A rule, whosever it is, that lets a connection-tracking helper take part in flows.
package struct HelperAssignment: Hashable, Sendable {
    /// As nft writes it: `ip`, `ip6`, `inet`, ….
    package var family: String
    /// The table's name, which may be anything.
    package var table: String
    /// The chain that the rule stands in.
    package var chain: String
    /// The kernel's number of the rule, by which nft deletes it.
    package var handle: UInt64
    /// The helpers' names in the kernel, such as `sip` or `RAS`: all that its table has where a map
    /// chooses.
    package var helpers: [String]

    /// All rules of this network namespace that assign a helper: by nft's `ct helper set`, or by
    /// iptables-nft's `CT --helper`.
    ///
    /// - Throws: also where this process may not list rules.
    package static func all() throws(KernelError) -> [HelperAssignment] {
        let socket = try NetlinkSocket()
        var known = Known()
        try socket.request(NFT_MSG_GETOBJ, flags: NLM_F_DUMP, family: everything) { message in
            let attributes = message.attributes
            guard attributes[NFTA_OBJ_TYPE]?.number() == helperType,
                let table = attributes[NFTA_OBJ_TABLE]?.text,
                let name = attributes[NFTA_OBJ_NAME]?.text,
                let helper = attributes[NFTA_OBJ_DATA]?.nested[NFTA_CT_HELPER_NAME]?.text
            else { return }
            known.helpers[Object(family: message.family, table: table, name: name)] = helper
        }
        try socket.request(NFT_MSG_GETSET, flags: NLM_F_DUMP, family: everything) { message in
            let attributes = message.attributes
            guard attributes[NFTA_SET_OBJ_TYPE]?.number() == helperType,
                let table = attributes[NFTA_SET_TABLE]?.text,
                let name = attributes[NFTA_SET_NAME]?.text
            else { return }
            known.maps.insert(Object(family: message.family, table: table, name: name))
        }
        var assignments: [HelperAssignment] = []
        try socket.request(NFT_MSG_GETRULE, flags: NLM_F_DUMP, family: everything) { message in
            if let assignment = HelperAssignment(message, known) { assignments.append(assignment) }
        }
        return assignments
    }

    private static let everything = UInt8(NFPROTO_UNSPEC)
    private static let helperType = UInt32(NFT_OBJECT_CT_HELPER)

    private struct Object: Hashable {
        var family: UInt8
        var table: String
        var name: String
    }

    /// The objects and maps that rules refer to.
    private struct Known {
        var helpers: [Object: String] = [:]
        /// Those that map to helpers.
        var maps: Set<Object> = []
    }

    /// nil for most rules.
    private init?(_ message: borrowing NetlinkMessage, _ known: Known) {
        let attributes = message.attributes
        guard let table = attributes[NFTA_RULE_TABLE]?.text,
            let chain = attributes[NFTA_RULE_CHAIN]?.text,
            let handle = attributes[NFTA_RULE_HANDLE]?.number(UInt64.self),
            let expressions = attributes[NFTA_RULE_EXPRESSIONS]?.nested
        else { return nil }
        let family = message.family
        var helpers: [String] = []
        expressions.forEach { _, expression in
            guard let data = expression.nested[NFTA_EXPR_DATA]?.nested else { return }
            switch expression.nested[NFTA_EXPR_NAME]?.text {
            case "objref": helpers += Self.helpers(referredToBy: data, family, table, known)
            case "target": helpers += Self.helpers(ofTarget: data)
            default: break
            }
        }
        guard !helpers.isEmpty else { return nil }
        self.family = TableFamily(number: family)?.rawValue ?? "\(family)"
        self.table = table
        self.chain = chain
        self.handle = handle
        self.helpers = helpers
    }

    private static func helpers(
        referredToBy reference: NetlinkAttributes, _ family: UInt8, _ table: String,
        _ known: Known
    ) -> [String] {
        if reference[NFTA_OBJREF_IMM_TYPE]?.number() == helperType,
            let name = reference[NFTA_OBJREF_IMM_NAME]?.text
        {
            return [known.helpers[Object(family: family, table: table, name: name)] ?? name]
        }
        guard let map = reference[NFTA_OBJREF_SET_NAME]?.text,
            known.maps.contains(Object(family: family, table: table, name: map))
        else { return [] }
        let all = known.helpers.filter { $0.key.family == family && $0.key.table == table }
        return Set(all.values).sorted()
    }

    /// Of `struct xt_ct_target_info`: the helper's name lies behind flags, zone and two masks of
    /// events.
    private static let helperInTarget = 12..<28

    private static func helpers(ofTarget target: NetlinkAttributes) -> [String] {
        guard target[NFTA_TARGET_NAME]?.text == "CT", let info = target[NFTA_TARGET_INFO]?.bytes,
            info.count >= helperInTarget.upperBound
        else { return [] }
        let name = info[helperInTarget].prefix { $0 != 0 }
        return name.isEmpty ? [] : [String(decoding: name, as: UTF8.self)]
    }
}
