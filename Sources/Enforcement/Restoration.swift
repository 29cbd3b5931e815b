package import Logging
internal import Reports
internal import Ruleset

/// The work of a boot before there is a network: it puts the last confirmed generation in force,
/// from the state directory alone, and writes nothing there.
package struct Restoration: Sendable {
    private let kernel: VerifiedKernel
    private let store: GenerationStore
    private let clock: any HostClock
    private let log: Logger

    /// - Parameter clock: tells whether the time to confirm in still runs.
    package init(
        kernel: any RulesetKernel, store: GenerationStore, clock: any HostClock, log: Logger
    ) {
        self.kernel = VerifiedKernel(kernel: kernel)
        self.store = store
        self.clock = clock
        self.log = log
    }

    /// Restores the generation, and proves it by reading back. Where the kernel refuses it, the newest
    /// older one that it takes is restored, so that the host is not open until the agent runs.
    ///
    /// A generation that waits for confirmation stays where its time runs, for which the host must
    /// not have been started anew.
    ///
    /// - Returns: the number in force; nil where none is recorded, or `flush` was said.
    /// - Throws: why it could not be done; the kernel is as it was.
    package func run() async throws -> Int? {
        var ledger = Ledger(store, log: log)
        var recorded = ledger.load()
        if let pending = ledger.standing?.pending, pending.deadline.left(by: clock) <= .zero {
            recorded = try ledger.fallback(of: pending)
        }
        guard let meant = recorded else {
            if let problem = ledger.record.problem { throw ApplyFailure(problem.text) }
            log.notice("nothing to restore")
            return nil
        }
        var generation = meant
        var refusal: ApplyFailure?
        while true {
            do throws(ApplyFailure) {
                let wanted = generation.stamped
                let observed = try await kernel.tables(knownFrom: [meant.ruleset, wanted])
                try await kernel.put(wanted, from: observed)
                break
            } catch {
                log.error("can't restore generation \(generation.number): \(error)")
                // Any other failure may have been applied all the same, or come again with any
                // generation.
                guard error.isRefusal, let next = ledger.standIn(for: generation) else {
                    throw refusal ?? error
                }
                refusal = refusal ?? error
                generation = next
            }
        }
        let number = generation.number
        if let refusal {
            log.error(
                "restored generation \(number) in place of \(meant.number), which the kernel refuses: \(refusal)",
                metadata: ["generation": "\(number)"])
        } else if let problem = ledger.record.problem {
            log.error(
                "restored generation \(number), the newest that can be read: \(problem.text)",
                metadata: ["generation": "\(number)"])
        } else {
            log.notice("restored", metadata: ["generation": "\(number)"])
        }
        return number
    }
}
