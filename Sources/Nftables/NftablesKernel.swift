internal import CMnl
internal import LinuxSystem
package import Ruleset

/// The nf_tables of this process's network namespace: reads our tables, commits transactions.
///
/// Everything runs on one queue, since libnftables is not thread-safe and its calls block.
package actor NftablesKernel {
    private let executor = QueueExecutor(label: "nftables")
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private let context: NftablesContext
    private let netlink: NetlinkSocket
    private var ownCommits = OwnCommits()

    /// Opens the sockets; open the kernel before other descriptors, since libnftables waits by
    /// `select(2)`, which takes none above 1,023.
    package init() throws(NftablesError) {
        netlink = try NetlinkSocket()
        context = try NftablesContext()
    }

    /// The ruleset generation: changes with every transaction that anyone commits.
    package func generationID() throws(NftablesError) -> UInt32 {
        try netlink.rulesetGeneration()
    }

    /// Every table of family `inet` that `isOurs` takes by its name, as one consistent state.
    package func tables(
        where isOurs: @Sendable (String) -> Bool
    ) throws(NftablesError) -> Observation {
        // A listing is several requests; a foreign transaction may come between any two of them.
        // Where others never rest, two equal listings in a row are as good as one undisturbed.
        var last: [ObservedTable]?
        for _ in 0..<Self.readings {
            let before = try generationID()
            let tables: [ObservedTable]
            do {
                tables = try readTables(where: isOurs)
            } catch {
                if try generationID() == before { throw error }
                last = nil
                continue
            }
            let structure = tables.map(\.withoutCounts)
            if try generationID() == before || structure == last {
                return Observation(generationID: before, tables: tables)
            }
            last = structure
        }
        throw NftablesError(
            .unsettled, "our tables changed during each of \(Self.readings) attempts to read them")
    }

    private static let readings = 16

    private func readTables(
        where isOurs: (String) -> Bool
    ) throws(NftablesError) -> [ObservedTable] {
        var found: [(name: String, flags: UInt32)] = []
        try netlink.request(NFT_MSG_GETTABLE, flags: NLM_F_DUMP) { message in
            guard Int32(message.family) == Int32(NFPROTO_INET),
                let name = message.string(Int(NFTA_TABLE_NAME.rawValue)), isOurs(name)
            else { return }
            found.append((name, message.number(Int(NFTA_TABLE_FLAGS.rawValue)) ?? 0))
        }
        var tables: [ObservedTable] = []
        for (name, flags) in found {
            guard flags == 0 else {
                // nftables 1.0.6 prints a flag's name in JSON from memory that is not its own, so a
                // table with flags is not listed at all.
                tables.append(
                    ObservedTable(name: name, foreign: [Self.words(forFlags: flags)]))
                continue
            }
            do {
                tables.append(
                    try Listing(json: context.run("list table inet \(name)\n")).table(named: name))
            } catch let failure as NftablesContext.RunFailure {
                throw NftablesError(
                    .unreadable, "can't list table \(name): \(failure.complaints[0].message)")
            } catch let error as NftablesError {
                throw error
            } catch {
                throw NftablesError(.unreadable, "can't list table \(name): \(error)")
            }
        }
        return tables
    }

    private static func words(forFlags flags: UInt32) -> String {
        let names = [(NFT_TABLE_F_DORMANT, "dormant"), (NFT_TABLE_F_OWNER, "owner")]
            .filter { flags & UInt32($0.0.rawValue) != 0 }.map(\.1)
        return "table flags \(names.isEmpty ? String(flags) : names.joined(separator: ", "))"
    }

    /// Commits a transaction.
    ///
    /// - Throws: ``NftablesError/Code/refused`` with the statement and the row that the kernel
    ///   complains about. An error does not prove that nothing was applied: read back.
    package func commit(_ transaction: Transaction) throws(NftablesError) {
        if transaction.isEmpty { return }
        let before = try generationID()
        ownCommits.began(on: ProcessIdentity.currentThread, after: before)
        do throws(NftablesContext.RunFailure) {
            _ = try context.run(transaction.text)
        } catch {
            // Whether it was applied all the same is for the caller to read back.
            ownCommits.ended(at: before &+ 1)
            throw NftablesError.refused(transaction, error)
        }
        ownCommits.ended(at: try generationID())
    }

    /// Asks the kernel whether it would take a transaction, and changes nothing.
    ///
    /// Uses a context of its own: on nftables 1.0.6 one that saw a dry run is not to be trusted
    /// with a commit.
    package func check(_ transaction: Transaction) throws(NftablesError) {
        if transaction.isEmpty { return }
        let context = try NftablesContext(isDryRun: true)
        do throws(NftablesContext.RunFailure) {
            _ = try context.run(transaction.text)
        } catch {
            throw NftablesError.refused(transaction, error)
        }
    }

    /// Whether a notification is about a transaction that ``commit(_:)`` made.
    package func isOwn(_ change: RulesetChange) -> Bool { ownCommits.contain(change) }
}

/// Our tables at one ruleset generation.
package struct Observation: Hashable, Sendable {
    package var generationID: UInt32
    package var tables: [ObservedTable]
}

/// Which transactions were this process's own.
///
/// A notification names the committing thread, not the process, and generation ids bound the time
/// in which that thread was ours.
private struct OwnCommits {
    private struct Span {
        var thread: Int32
        var after: UInt32
        var upTo: UInt32
    }

    private var spans: [Span] = []

    mutating func began(on thread: Int32, after generation: UInt32) {
        // Notifications come soon or not at all; old spans only cost memory.
        if spans.count == 64 { spans.removeFirst() }
        spans.append(Span(thread: thread, after: generation, upTo: .max))
    }

    mutating func ended(at generation: UInt32) { spans[spans.count - 1].upTo = generation }

    func contain(_ change: RulesetChange) -> Bool {
        spans.contains {
            $0.thread == change.writer.pid && change.generationID > $0.after
                && change.generationID <= $0.upTo
        }
    }
}

extension NftablesError {
    fileprivate static func refused(
        _ transaction: Transaction, _ failure: NftablesContext.RunFailure
    ) -> NftablesError {
        let reasons = failure.complaints.map { message, line -> String in
            guard let line, transaction.statements.indices.contains(line - 1) else {
                return message
            }
            let statement = transaction.statements[line - 1]
            return "\(statement.subject.map { "\($0): " } ?? "")\(message) in \"\(statement.text)\""
        }
        let shown = reasons.prefix(5).joined(separator: "; ")
        let more = reasons.count > 5 ? " (and \(reasons.count - 5) more)" : ""
        let isPermission = failure.text.contains("Operation not permitted")
        return NftablesError(
            isPermission ? .notPermitted : .refused,
            "the kernel refused the transaction: \(shown)\(more)"
                + (isPermission ? " (the agent needs CAP_NET_ADMIN)" : ""))
    }
}
