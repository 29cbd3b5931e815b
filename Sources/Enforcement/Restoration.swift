package import Logging
internal import Ruleset

/// What a boot does before there is a network: puts the last confirmed generation in force, from the
/// state directory alone, and writes nothing there.
package struct Restoration: Sendable {
    private let kernel: VerifiedKernel
    private let store: GenerationStore
    private let clock: any HostClock
    private let log: Logger

    package init(
        kernel: any RulesetKernel, store: GenerationStore, clock: any HostClock, log: Logger
    ) {
        self.kernel = VerifiedKernel(kernel: kernel)
        self.store = store
        self.clock = clock
        self.log = log
    }

    /// Restores the generation, and proves it by reading back.
    ///
    /// What waits for confirmation stays where its time runs, for which the host must not have been
    /// started anew.
    ///
    /// - Returns: the number in force; nil where none is recorded, or `flush` was said.
    /// - Throws: why it could not be done; the kernel is as it was.
    package func run() async throws -> Int? {
        var ledger = Ledger(store, log: log)
        var recorded = ledger.load()
        if let pending = ledger.standing?.pending, pending.deadline.left(by: clock) <= .zero {
            recorded = try ledger.fallback(of: pending)
        }
        guard let generation = recorded else {
            if let problem = ledger.record.problem { throw ApplyFailure(problem.text) }
            log.notice("nothing to restore")
            return nil
        }
        let wanted = generation.stamped
        try await kernel.put(wanted, from: try await kernel.tables(knownFrom: [wanted]))
        log.notice("restored", metadata: ["generation": "\(generation.number)"])
        return generation.number
    }
}
