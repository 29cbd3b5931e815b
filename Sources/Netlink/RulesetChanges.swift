internal import CMnl
@preconcurrency internal import Dispatch
internal import Glibc
package import LinuxSystem
package import Ruleset
internal import Site
internal import Synchronization
package import SystemPackage

/// A transaction that somebody committed, as the kernel notifies it.
package struct RulesetChange: Hashable, Sendable {
    /// The thread that committed a transaction.
    package struct Writer: Hashable, Sendable {
        /// The committing thread's id in the initial pid namespace; a process with one thread is
        /// named by it.
        package var pid: Int32
        /// The thread's name, at most 15 bytes.
        package var name: String

        /// - Parameter name: of the thread, at most 15 bytes.
        package init(pid: Int32, name: String) {
            self.pid = pid
            self.name = name
        }
    }

    /// The ruleset's number since this transaction; each one adds 1.
    package var generationID: UInt32
    /// As the notification that ends the transaction names it.
    package var writer: Writer
    /// Its effects on the tables that it touched, of families in which some are ours
    /// (``TableFamily/ofPlacements``).
    package var tables: [TableID: TableEffect]
    /// Whether it touched tables of other families.
    package var touchesOtherFamilies: Bool

    /// - Parameter tables: those alone that are of families in which some are ours.
    package init(
        generationID: UInt32, writer: Writer, tables: [TableID: TableEffect],
        touchesOtherFamilies: Bool
    ) {
        self.generationID = generationID
        self.writer = writer
        self.tables = tables
        self.touchesOtherFamilies = touchesOtherFamilies
    }
}

/// The effect of a transaction on a table, as far as it can be told without reading the table.
package enum TableEffect: Hashable, Sendable {
    /// It took the table away.
    case removed
    /// It took these rules away, by their handles in each chain, and did nothing else.
    case lostRules([String: Set<UInt64>])
    /// It did anything else, too.
    case other
}

/// An event that the listener heard.
package enum RulesetEvent: Hashable, Sendable {
    case change(RulesetChange)
    /// Notifications were lost (the socket's buffer overflowed): anything may have changed.
    case lost
    /// The listener failed and hears nothing more; the reason is for people.
    case failed(String)
}

/// Listens to nf_tables notifications of this process's network namespace.
package final class RulesetListener: Sendable {
    private let reader: NetlinkReader
    private let failing = Mutex<(@Sendable (String) -> Void)?>(nil)

    /// Notifications are kept from this moment on. Open it before the first read, so that nothing
    /// falls between them.
    ///
    /// Needs `CAP_NET_ADMIN`, and starts no thread.
    ///
    /// - Throws: ``KernelError/Code/notPermitted`` without that capability.
    package init() throws(KernelError) {
        // One foreign transaction of 4,000 rules overflows the default buffer.
        reader = NetlinkReader(
            try NetlinkSocket(
                bus: NETLINK_NETFILTER, groups: 1 << UInt32(NFNLGRP_NFTABLES.rawValue - 1),
                receiveBuffer: 8 << 20))
    }

    /// Goes on with the socket that ``descriptor`` was in a program that this process was before.
    ///
    /// - Throws: where the descriptor is no socket.
    package init(adopting descriptor: Int32) throws(KernelError) {
        reader = NetlinkReader(try NetlinkSocket(adopting: descriptor))
    }

    /// The netlink socket, for the keeper, and for a program that goes on with it.
    package var descriptor: FileDescriptor { reader.descriptor }

    /// Lets a listener's socket hear nf_tables or not, which takes `CAP_NET_ADMIN` each time.
    ///
    /// - Throws: where the kernel refuses it.
    package static func set(
        hearing isHearing: Bool, _ descriptor: FileDescriptor
    ) throws(SystemError) {
        var group = UInt32(NFNLGRP_NFTABLES.rawValue)
        let option = isHearing ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP
        let length = socklen_t(MemoryLayout<UInt32>.size)
        if setsockopt(descriptor.rawValue, SOL_NETLINK, Int32(option), &group, length) != 0 {
            throw SystemError(operation: "setsockopt", errno: Errno(rawValue: errno))
        }
    }

    /// Tells ``events()`` that nothing more will be heard.
    package func fail(_ reason: String) { failing.withLock { $0 }?(reason) }

    /// The events from the beginning on; to be called once. They are received on a queue of their
    /// own, until the stream's consumer ends.
    ///
    /// - Throws: where the socket can't be watched.
    package func events() throws(KernelError) -> AsyncStream<RulesetEvent> {
        let (events, continuation) = AsyncStream.makeStream(of: RulesetEvent.self)
        failing.withLock {
            $0 = { reason in
                continuation.yield(.failed(reason))
                continuation.finish()
            }
        }
        let group = TransactionGroup()
        let source = try reader.source(queue: DispatchQueue(label: "nftables.events")) {
            switch $0 {
            case .success:
                break
            case .failure(let error) where error.code == .overflow:
                group.forget()
                continuation.yield(.lost)
            case .failure(let error):
                continuation.yield(.failed(error.description))
                continuation.finish()
            }
        } onMessage: { message in
            if let change = group.add(message) { continuation.yield(.change(change)) }
        }
        continuation.onTermination = { _ in source.cancel() }
        source.resume()
        return events
    }
}

/// Collects a transaction's notifications until the one that ends it.
final class TransactionGroup: Sendable {
    private struct Touched {
        var tables: [TableID: TableChange] = [:]
        var otherFamilies = false
        var generationBits: UInt16?

        /// Where the end of a transaction was not heard, because the listener left the group, its
        /// beginning is no part of the next one's.
        mutating func belong(to bits: UInt16) {
            if let generationBits, generationBits != bits {
                for id in tables.keys { tables[id] = .unknown }
            }
            generationBits = bits
        }
    }

    private let touched = Mutex(Touched())

    func forget() { touched.withLock { $0 = Touched() } }

    /// The whole transaction, where this message ends it.
    func add(_ message: borrowing NetlinkMessage) -> RulesetChange? {
        guard let type = message.type else { return nil }
        let bits = message.generationBits
        touched.withLock { $0.belong(to: bits) }
        if type == NFT_MSG_NEWGEN {
            let touched = touched.withLock { touched in
                defer { touched = Touched() }
                return touched
            }
            return RulesetChange(
                generationID: message.number(Int(NFTA_GEN_ID.rawValue)) ?? 0,
                writer: RulesetChange.Writer(
                    pid: Int32(bitPattern: message.number(Int(NFTA_GEN_PROC_PID.rawValue)) ?? 0),
                    name: message.string(Int(NFTA_GEN_PROC_NAME.rawValue)) ?? ""),
                tables: touched.tables.mapValues(\.effect),
                touchesOtherFamilies: touched.otherFamilies)
        }
        guard let family = TableFamily(number: message.family),
            TableFamily.ofPlacements.contains(family)
        else {
            touched.withLock { $0.otherFamilies = true }
            return nil
        }
        // The table's name is attribute 1 of tables, chains, rules, sets, elements and objects
        // alike.
        if let name = message.string(Int(NFTA_TABLE_NAME.rawValue)) {
            let rule = type == NFT_MSG_DELRULE ? RemovedRule(message) : nil
            let table = TableID(family, name)
            touched.withLock { $0.tables[table, default: TableChange()].add(type, rule) }
        }
        return nil
    }
}

private struct RemovedRule {
    let chain: String
    let handle: UInt64

    init?(_ message: borrowing NetlinkMessage) {
        guard let chain = message.string(Int(NFTA_RULE_CHAIN.rawValue)),
            let handle: UInt64 = message.attributes[NFTA_RULE_HANDLE]?.number()
        else { return nil }
        self.chain = chain
        self.handle = handle
    }
}

/// One table's part of a transaction, by the notifications so far.
private struct TableChange {
    /// Far more than our tables have.
    private static let mostRules = 16_384

    private var rules: [String: Set<UInt64>] = [:]
    private var ruleCount = 0
    /// Something else than rules went.
    private var lostMore = false
    private var lostTable = false
    private var gained = false

    static var unknown: TableChange {
        var change = TableChange()
        change.gained = true
        return change
    }

    mutating func add(_ type: nf_tables_msg_types, _ rule: RemovedRule?) {
        switch type {
        case NFT_MSG_DELRULE:
            guard let rule, ruleCount < Self.mostRules else {
                lostMore = true
                return
            }
            rules[rule.chain, default: []].insert(rule.handle)
            ruleCount += 1
        case NFT_MSG_DELTABLE: lostTable = true
        // The parts of a table that goes are told of before it.
        case NFT_MSG_DELCHAIN, NFT_MSG_DELSET, NFT_MSG_DELSETELEM, NFT_MSG_DELOBJ,
            NFT_MSG_DELFLOWTABLE:
            lostMore = true
        default: gained = true
        }
    }

    var effect: TableEffect {
        if gained { return .other }
        if lostTable { return .removed }
        return lostMore ? .other : .lostRules(rules)
    }
}
