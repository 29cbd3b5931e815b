internal import Logging
internal import Reports

/// `flush`: nothing in place of what the configuration says.
extension Reconciler {
    /// Deletes our tables, so that nothing is enforced until the configuration changes or `apply`
    /// or `rollback` is said.
    package func flush() async -> Conclusion {
        await begin()
        defer { end() }
        let digest = configuration.digest
        do throws(ApplyFailure) {
            try await putInForce(nil) { ledger throws(StoreError) in
                try ledger.record(nil, hold: Hold(.flush, against: digest))
            }
            ledger.forgetHealedProblem()
            measurements.wentBack(because: .flush)
            tell(.flushed, .warning, "flushed: nothing is enforced")
            return Conclusion(ApplyReport(outcome: .applied, generation: nil))
        } catch {
            tell(.failed, .error, "flush failed: \(error)")
            return Conclusion(
                ApplyReport(
                    outcome: .failed, generation: current?.number, problem: error.description))
        }
    }
}
