internal import CMnl
internal import Ruleset

/// The effect that an expression of somebody else's rule may have on a packet that we permit, on
/// one that answers it, or on one that we refuse. Conditions, and which packets meet them, are not
/// looked at.
///
/// All expressions of Linux 6.18 (`net/netfilter/nft_*.c`, and those of IPv4, IPv6 and bridges) are
/// decided here:
///
/// | expression | may |
/// |---|---|
/// | `immediate`, `lookup` in a verdict map | drop, queue, or lead to another chain, an anonymous one too |
/// | `reject`, `queue` | reject, leave it to a program |
/// | `notrack`, `ct` that sets a zone | keep the packet's flow, or its answers, from being known |
/// | `objref` to a helper or an expectation of connection tracking | drop what a helper can't read, and let related flows pass |
/// | `objref` to a timeout of connection tracking | let a flow be forgotten early |
/// | `payload`, `meta` that write | change where the packet goes, or whether it is delivered |
/// | `fwd`, `tproxy`, `synproxy` (and its `objref`), `meta broute` | take it elsewhere, or answer in the node's place |
/// | `flow_offload` | take the flow's later packets past the forward hook |
/// | `nat`, `masq`, `redir` | nothing that cuts: it is translated before rules see it, and its answers back. Whether a source is translated is told: answers to that must be tracked |
/// | `dup` | nothing: a copy goes elsewhere |
/// | `ct` and `meta` that set marks, labels, events, priority, tracing; `exthdr` that writes or strips options of TCP | nothing to its way: policy routing by a mark is no rule's doing |
/// | `counter`, `last`, `log`, `dynset`, `limit`, `quota`, `connlimit`, and `objref` to these, `secmark`, `tunnel` | nothing: they are conditions, or note |
/// | `cmp`, `range`, `bitwise`, `byteorder`, `exthdr`, `fib`, `hash`, `inner`, `numgen`, `osf`, `rt`, `socket`, `tunnel`, `xfrm`, `match` | nothing: they look |
/// | `target` | what the target of iptables, ebtables or arptables does |
///
/// One that is not among them does something that is not known.
enum ExpressionMeaning: Hashable {
    case nothing
    /// Nothing that cuts; but the packet may get another source, and its answers another destination.
    case translatesSource
    case effects(Set<Shadow.Reason>)
    case leads(to: KernelName)
    /// A verdict.
    case looksUp(KernelName)
    /// An object of connection tracking, in a map.
    case refers(by: KernelName)

    static func effect(_ reason: Shadow.Reason) -> ExpressionMeaning { .effects([reason]) }

    /// - Parameter family: of the rule's table, an `NFPROTO_` number.
    init(_ expression: NetlinkPayload, family: UInt8) {
        let attributes = expression.nested
        let data = attributes[NFTA_EXPR_DATA]?.nested
        switch attributes[NFTA_EXPR_NAME]?.text {
        case "immediate":
            self = data?[NFTA_IMMEDIATE_DATA].map(Self.init(verdictIn:)) ?? .nothing
        case "lookup":
            // Into the register of verdicts; other maps give addresses, marks and the like.
            if data?[NFTA_LOOKUP_DREG]?.number(UInt32.self) == UInt32(NFT_REG_VERDICT.rawValue),
                let map = data?[NFTA_LOOKUP_SET]?.name
            {
                self = .looksUp(map)
            } else {
                self = .nothing
            }
        case "reject": self = .effect(.reject)
        case "queue": self = .effect(.queue)
        case "notrack": self = .effect(.notrack)
        case "ct":
            let setsZone =
                data?[NFTA_CT_SREG] != nil
                && data?[NFTA_CT_KEY]?.number(UInt32.self) == UInt32(NFT_CT_ZONE.rawValue)
            self = setsZone ? .effect(.zone) : .nothing
        case "meta": self = data.flatMap(Self.init(meta:)) ?? .nothing
        case "payload": self = data.flatMap { Self.init(payload: $0, family) } ?? .nothing
        case "objref":
            if let map = data?[NFTA_OBJREF_SET_NAME]?.name {
                self = .refers(by: map)
            } else {
                self = Self.init(object: data?[NFTA_OBJREF_IMM_TYPE]?.number())
            }
        case "flow_offload": self = .effect(.offload)
        case "fwd", "tproxy", "synproxy": self = .effect(.divert)
        case "target": self = data.map(Self.init(target:)) ?? .nothing
        case "masq": self = .translatesSource
        case "nat":
            let isOfSource =
                data?[NFTA_NAT_TYPE]?.number(UInt32.self) == UInt32(NFT_NAT_SNAT.rawValue)
            self = isOfSource ? .translatesSource : .nothing
        case "redir", "dup", "exthdr", "counter", "last", "log", "dynset", "limit",
            "quota", "connlimit", "cmp", "range", "bitwise", "byteorder", "fib", "hash", "inner",
            "numgen", "osf", "rt", "socket", "tunnel", "xfrm", "match":
            self = .nothing
        default: self = .effect(.unknown)
        }
    }

    /// - Parameter data: the value that is loaded into a register.
    init(verdictIn data: NetlinkPayload) {
        guard let verdict = data.nested[NFTA_DATA_VERDICT]?.nested,
            let code = verdict[NFTA_VERDICT_CODE]?.number(UInt32.self).map(Int32.init(bitPattern:))
        else {
            self = .nothing
            return
        }
        let target = verdict[NFTA_VERDICT_CHAIN]?.name
        switch (code, target) {
        case (NFT_JUMP.rawValue, let target?), (NFT_GOTO.rawValue, let target?):
            self = .leads(to: target)
        case (NF_DROP, _): self = .effect(.drop)
        // The queue's number stands in the upper half.
        case (0..., _) where code & 0xff == NF_QUEUE: self = .effect(.queue)
        default: self = .nothing
        }
    }

    /// The effect of a reference to an object.
    ///
    /// - Parameter type: an `NFT_OBJECT_` number; nil where the kernel did not tell it.
    init(object type: UInt32?) {
        switch type.map(Int32.init(bitPattern:)) {
        case NFT_OBJECT_CT_HELPER, NFT_OBJECT_CT_EXPECT: self = .effect(.helper)
        case NFT_OBJECT_CT_TIMEOUT: self = .effect(.timeout)
        case NFT_OBJECT_SYNPROXY: self = .effect(.divert)
        case NFT_OBJECT_COUNTER, NFT_OBJECT_QUOTA, NFT_OBJECT_LIMIT, NFT_OBJECT_CONNLIMIT,
            NFT_OBJECT_TUNNEL, NFT_OBJECT_SECMARK:
            self = .nothing
        default: self = .effect(.unknown)
        }
    }

    /// Of `enum nft_meta_keys` since Linux 6.4: a bridge hands the frame to the host.
    private static let broute = UInt32(NFT_META_SDIFNAME.rawValue) + 1

    /// nil where it writes nothing.
    private init?(meta data: NetlinkAttributes) {
        guard data[NFTA_META_SREG] != nil else { return nil }
        switch data[NFTA_META_KEY]?.number(UInt32.self) {
        case UInt32(NFT_META_MARK.rawValue), UInt32(NFT_META_PRIORITY.rawValue),
            UInt32(NFT_META_NFTRACE.rawValue), UInt32(NFT_META_SECMARK.rawValue):
            self = .nothing
        // A packet for another host is not delivered, nor forwarded.
        case UInt32(NFT_META_PKTTYPE.rawValue): self = .effect(.rewrite)
        case Self.broute: self = .effect(.divert)
        default: self = .effect(.unknown)
        }
    }

    /// nil where it writes nothing.
    private init?(payload data: NetlinkAttributes, _ family: UInt8) {
        guard data[NFTA_PAYLOAD_SREG] != nil else { return nil }
        let end =
            (data[NFTA_PAYLOAD_OFFSET]?.number(UInt32.self) ?? .max).addingReportingOverflow(
                data[NFTA_PAYLOAD_LEN]?.number(UInt32.self) ?? .max)
        // Only what queues and schedulers look at: DSCP and ECN, and in IPv6 the flow label. nft
        // writes whole bytes, with what it read in the others.
        let harmless: UInt32 = family == UInt8(NFPROTO_IPV6) ? 4 : 2
        let base = data[NFTA_PAYLOAD_BASE]?.number(UInt32.self)
        let isHarmless =
            base == UInt32(NFT_PAYLOAD_NETWORK_HEADER.rawValue) && !end.overflow
            && end.partialValue <= harmless
        self = isHarmless ? .nothing : .effect(.rewrite)
    }

    // MARK: Targets

    /// For what nf_tables has no expression of its own, iptables-nft, ebtables-nft and arptables-nft
    /// use their own targets: all of Linux 6.18, and some of older kernels.
    private init(target data: NetlinkAttributes) {
        switch data[NFTA_TARGET_NAME]?.text {
        case "DROP", "CLUSTERIP": self = .effect(.drop)
        case "REJECT": self = .effect(.reject)
        case "NFQUEUE": self = .effect(.queue)
        case "NOTRACK": self = .effect(.notrack)
        case "CT": self = .effects(Self.effects(ofTracking: data[NFTA_TARGET_INFO]?.bytes))
        // The time to live can run out, and an address without a tracked flow is not changed back.
        case "TTL", "HL", "SNPT", "DNPT", "mangle": self = .effect(.rewrite)
        // Link-layer addresses, which decide where a frame goes.
        case "dnat", "snat": self = .effect(.rewrite)
        case "TPROXY", "SYNPROXY", "redirect", "arpreply": self = .effect(.divert)
        case "AUDIT", "CHECKSUM", "CLASSIFY", "CONNMARK", "CONNSECMARK", "DNAT", "DSCP", "ECN",
            "HMARK", "IDLETIMER", "LED", "LOG", "MARK", "NFLOG", "RATEEST", "REDIRECT", "SECMARK",
            "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE",
            "ULOG", "log", "nflog":
            self = .nothing
        // Before routing NETMAP is of destinations, which a chain's hook tells.
        case "MASQUERADE", "NETMAP", "SNAT": self = .translatesSource
        case "mark": self = Self.drops(afterMarking: data[NFTA_TARGET_INFO]?.bytes)
        default: self = .effect(.unknown)
        }
    }

    /// Of `struct ebt_mark_t_info`: behind the mark stands a verdict, of which `EBT_DROP` is -2 in its
    /// last four bits.
    private static func drops(afterMarking info: UnsafeRawBufferPointer?) -> ExpressionMeaning {
        guard let info, info.count >= 12 else { return .effect(.unknown) }
        let verdict = info.loadUnaligned(fromByteOffset: 8, as: Int32.self)
        return verdict | ~0xf == -2 ? .effect(.drop) : .nothing
    }

    /// Of `struct xt_ct_target_info` and `…_v1`, in the host's order: flags, the zone, two masks of
    /// events, the names of a helper and, from revision 1 on, of a policy of timeouts.
    private static func effects(ofTracking info: UnsafeRawBufferPointer?) -> Set<Shadow.Reason> {
        guard let info, info.count >= 28 else { return [.unknown] }
        let flags = info.loadUnaligned(fromByteOffset: 0, as: UInt16.self)
        let zone = info.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        var effects: Set<Shadow.Reason> = []
        // XT_CT_NOTRACK, XT_CT_NOTRACK_ALIAS
        if flags & 0b11 != 0 { effects.insert(.notrack) }
        // XT_CT_ZONE_DIR_ORIG, XT_CT_ZONE_DIR_REPL, XT_CT_ZONE_MARK
        if zone != 0 || flags & 0b1_1100 != 0 { effects.insert(.zone) }
        if info[12] != 0 { effects.insert(.helper) }
        if info.count >= 60, info[28] != 0 { effects.insert(.timeout) }
        return effects
    }
}
