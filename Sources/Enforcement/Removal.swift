package import Logging
internal import Reports
internal import Ruleset

/// The work of the program's removal: it takes our tables away. The state directory, which only the
/// agent's user may read, is left alone.
package struct Removal: Sendable {
    private let kernel: VerifiedKernel
    private let log: Logger

    /// - Parameter log: told of each table that is taken away, and of tables that only look like
    ///   ours.
    package init(kernel: any RulesetKernel, log: Logger) {
        self.kernel = VerifiedKernel(kernel: kernel)
        self.log = log
    }

    /// Takes away every table of ours, and proves it by reading back.
    ///
    /// - Returns: the names of the tables that were there.
    /// - Throws: why it could not be done; the kernel is as it was.
    package func run() async throws -> [String] {
        let tables = try await kernel.tables(knownFrom: [])
        try await kernel.put(Ruleset(tables: []), from: tables)
        for table in tables { log.notice("removed", metadata: ["table": "\(table.id.words)"]) }
        await tellLookalikes()
        return tables.map(\.name)
    }

    /// A table that stays is not ours, or lost its stamp; nobody will tell of it any more.
    private func tellLookalikes() async {
        do {
            let foreign = try await kernel.kernel.foreignTables(compiled: [])
            for warning in foreign.lookalikes.warnings { log.warning("\(warning)") }
        } catch {
            log.warning("can't read other tables: \(error)")
        }
    }
}
