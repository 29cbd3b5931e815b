internal import CMnl
internal import Glibc
package import PortModel
package import Ruleset

/// Connection tracking of this process's network namespace, by ctnetlink.
package enum FlowTracking {
    /// Flows whose first packet is from or to one of the addresses, once destination NAT is done.
    ///
    /// Entries are looked at while they are read, so that a large table takes no memory; one that
    /// comes or goes meanwhile may be told, twice or not at all.
    ///
    /// - Parameters:
    ///   - limit: reading ends with so many.
    ///   - isWanted: which of them to keep.
    /// - Throws: ``KernelError/Code/unreadable`` where an entry is not as documented, and where
    ///   netlink can't be used.
    package static func flows(
        touching addresses: Set<IPAddress>, atMost limit: Int, where isWanted: (Flow) -> Bool
    ) throws(KernelError) -> [Flow] {
        // To walk the table takes some milliseconds, however empty it is.
        if try use().entries == 0 { return [] }
        var found: [Flow] = []
        var isReadable = true
        try NetlinkSocket().request(
            .conntrack(IPCTNL_MSG_CT_GET, family: AF_UNSPEC), flags: NLM_F_DUMP
        ) { message in
            guard let flow = Flow(message.attributes) else {
                isReadable = false
                return false
            }
            if addresses.contains(flow.original.source) || addresses.contains(flow.destination),
                isWanted(flow)
            {
                found.append(flow)
            }
            return found.count < limit
        }
        guard isReadable else {
            throw KernelError(.unreadable, "an entry of connection tracking is not as documented")
        }
        return found
    }

    /// Takes the flows' entries away. One that is gone already, whose tuple may be another flow's
    /// by now, is as good as ended. An entry that can't be ended does not keep the others from it.
    ///
    /// - Throws: ``KernelError/Code/notPermitted``, and where netlink can't be used.
    package static func end(_ flows: [Flow]) throws(KernelError) -> EndedFlows {
        let socket = try NetlinkSocket()
        var ended = EndedFlows()
        for flow in flows {
            do throws(KernelError) {
                let family = flow.original.family == .ipv4 ? AF_INET : AF_INET6
                try socket.request(
                    .conntrack(IPCTNL_MSG_CT_DELETE, family: family), flags: NLM_F_ACK,
                    attributes: { flow.put(into: $0) }
                ) { _ in true }
                ended.count += 1
            } catch {
                if error.code == .missing { continue }
                if error.code == .notPermitted { throw error }
                // Before Linux 6.4 a flow that a flow table took over is busy.
                ended.left += 1
                ended.failure = ended.failure ?? "\(flow): \(error)"
            }
        }
        return ended
    }

    /// How full it is.
    ///
    /// - Throws: where netlink can't be used, or the kernel does not tell.
    package static func use() throws(KernelError) -> TrackingUse {
        var use: TrackingUse?
        try NetlinkSocket().request(
            .conntrack(IPCTNL_MSG_CT_GET_STATS, family: AF_UNSPEC), flags: 0
        ) { message in
            if let entries = message.number(Int(CTA_STATS_GLOBAL_ENTRIES.rawValue)),
                let limit = message.number(Int(CTA_STATS_GLOBAL_MAX_ENTRIES.rawValue))
            {
                use = TrackingUse(entries: Int(entries), limit: Int(limit))
            }
            return true
        }
        guard let use else {
            throw KernelError(
                .unreadable, "the kernel does not tell how full connection tracking is")
        }
        return use
    }
}

extension NetfilterMessage {
    fileprivate static func conntrack(_ type: cntl_msg_types, family: Int32) -> NetfilterMessage {
        NetfilterMessage(
            subsystem: NFNL_SUBSYS_CTNETLINK, type: type.rawValue, family: family)
    }
}

extension Flow {
    /// The entry that a message's attributes describe; nil where they are not what the kernel's
    /// headers document.
    init?(_ attributes: NetlinkAttributes) {
        var id: UInt32?
        var zone = Zone.none
        var original: Tuple?
        var reply: Tuple?
        var master: Tuple?
        var hasMaster = false
        let isWhole = attributes.forEach { type, payload in
            switch UInt32(type) {
            case CTA_ID.rawValue: id = payload.number()
            case CTA_ZONE.rawValue: zone = payload.number().map(Zone.both) ?? zone
            case CTA_TUPLE_ORIG.rawValue:
                original = Tuple(payload.nested)
                if let number = Tuple.zone(payload.nested) { zone = .original(number) }
            case CTA_TUPLE_REPLY.rawValue: reply = Tuple(payload.nested)
            case CTA_TUPLE_MASTER.rawValue:
                master = Tuple(payload.nested)
                hasMaster = true
            default: break
            }
        }
        guard isWhole, hasMaster == (master != nil), let id, let original, let reply,
            original.family == reply.family,
            original.family == master?.family ?? original.family
        else { return nil }
        self.init(id: id, zone: zone, original: original, reply: reply, master: master)
    }

    /// Names the entry in a request: exactly this one, whatever has its tuple by now.
    fileprivate func put(into header: UnsafeMutablePointer<nlmsghdr>) {
        header.nest(CTA_TUPLE_ORIG) {
            original.put(into: header)
            if case .original(let number) = zone { header.put(CTA_TUPLE_ZONE, number) }
        }
        if case .both(let number) = zone { header.put(CTA_ZONE, number) }
        header.put(CTA_ID, id)
    }
}

extension Flow.Tuple {
    init?(_ attributes: NetlinkAttributes) {
        var source: IPAddress?
        var destination: IPAddress?
        var number: UInt8?
        var ports: (source: UInt16?, destination: UInt16?)
        var icmp: (id: UInt16?, type: UInt8?, code: UInt8?)
        attributes.forEach { type, payload in
            switch UInt32(type) {
            case CTA_TUPLE_IP.rawValue:
                payload.nested.forEach { type, payload in
                    switch UInt32(type) {
                    case CTA_IP_V4_SRC.rawValue, CTA_IP_V6_SRC.rawValue: source = payload.address
                    case CTA_IP_V4_DST.rawValue, CTA_IP_V6_DST.rawValue:
                        destination = payload.address
                    default: break
                    }
                }
            case CTA_TUPLE_PROTO.rawValue:
                payload.nested.forEach { type, payload in
                    switch UInt32(type) {
                    case CTA_PROTO_NUM.rawValue: number = payload.number()
                    case CTA_PROTO_SRC_PORT.rawValue: ports.source = payload.number()
                    case CTA_PROTO_DST_PORT.rawValue: ports.destination = payload.number()
                    case CTA_PROTO_ICMP_ID.rawValue, CTA_PROTO_ICMPV6_ID.rawValue:
                        icmp.id = payload.number()
                    case CTA_PROTO_ICMP_TYPE.rawValue, CTA_PROTO_ICMPV6_TYPE.rawValue:
                        icmp.type = payload.number()
                    case CTA_PROTO_ICMP_CODE.rawValue, CTA_PROTO_ICMPV6_CODE.rawValue:
                        icmp.code = payload.number()
                    default: break
                    }
                }
            default: break
            }
        }
        guard let source, let destination, source.family == destination.family, let number else {
            return nil
        }
        var detail = Flow.Detail.none
        if let from = ports.source, let to = ports.destination {
            detail = .ports(source: from, destination: to)
        } else if let id = icmp.id, let type = icmp.type, let code = icmp.code {
            detail = .icmp(id: id, type: type, code: code)
        }
        self.init(from: source, to: destination, protocolNumber: number, detail)
    }

    /// The zone of this tuple alone.
    fileprivate static func zone(_ attributes: NetlinkAttributes) -> UInt16? {
        var zone: UInt16?
        attributes.forEach { type, payload in
            if UInt32(type) == CTA_TUPLE_ZONE.rawValue { zone = payload.number() }
        }
        return zone
    }

    fileprivate func put(into header: UnsafeMutablePointer<nlmsghdr>) {
        let isIPv4 = family == .ipv4
        header.nest(CTA_TUPLE_IP) {
            header.put(isIPv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, source.bytes)
            header.put(isIPv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, destination.bytes)
        }
        header.nest(CTA_TUPLE_PROTO) {
            header.put(CTA_PROTO_NUM, protocolNumber)
            switch detail {
            case .none: break
            case .ports(let source, let destination):
                header.put(CTA_PROTO_SRC_PORT, source)
                header.put(CTA_PROTO_DST_PORT, destination)
            case .icmp(let id, let type, let code):
                let isICMP = protocolNumber == UInt8(IPPROTO_ICMP)
                header.put(isICMP ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, id)
                header.put(isICMP ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE, type)
                header.put(isICMP ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE, code)
            }
        }
    }
}

extension NetlinkPayload {
    /// An address of the family that its length tells.
    fileprivate var address: IPAddress? {
        if let value: UInt32 = number() { return IPAddress(family: .ipv4, value: UInt128(value)) }
        return number().map { IPAddress(family: .ipv6, value: $0) }
    }
}

extension UnsafeMutablePointer<nlmsghdr> {
    fileprivate func nest<Name: RawRepresentable<UInt32>>(_ name: Name, _ body: () -> Void) {
        let start = mnl_attr_nest_start(self, UInt16(name.rawValue))
        body()
        mnl_attr_nest_end(self, start)
    }

    /// A number in network order.
    fileprivate func put<Name: RawRepresentable<UInt32>, Number: FixedWidthInteger>(
        _ name: Name, _ number: Number
    ) {
        withUnsafeBytes(of: number.bigEndian) {
            mnl_attr_put(self, UInt16(name.rawValue), $0.count, $0.baseAddress)
        }
    }

    fileprivate func put<Name: RawRepresentable<UInt32>>(_ name: Name, _ bytes: [UInt8]) {
        mnl_attr_put(self, UInt16(name.rawValue), bytes.count, bytes)
    }
}
