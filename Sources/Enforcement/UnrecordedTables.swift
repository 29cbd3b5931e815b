internal import Logging
internal import Reports
internal import Ruleset

/// Tables of ours in a kernel of which the state directory records nothing.
extension Reconciler {
    /// Takes up a stored generation that the kernel holds exactly, where none is recorded: the first
    /// apply was killed before it could record it.
    func adopt() async {
        do {
            let observed = try await kernel.tables(knownFrom: [])
            guard let number = observed.first?.stamp?.generation,
                let generation = try ledger.stored(number),
                [generation.stamped, generation.stamped.adopting].contains(where: {
                    observed.differences(from: $0).isEmpty
                })
            else { return }
            try ledger.record(number)
            desired.hold(generation)
            log.notice("adopted what the kernel holds", metadata: generationMetadata)
        } catch {
            log.error("can't adopt what the kernel holds: \(error)")
        }
    }

    /// A state directory that was lost does not open the firewall: the kernel's tables stay.
    func lookForUnknownTables() async {
        let problem: String
        do throws(ApplyFailure) {
            let names = try await kernel.tables(knownFrom: []).map(\.id.words)
            if names.isEmpty { return }
            problem =
                "the kernel holds tables of ours that the state directory does not know (\(names.joined(separator: ", "))): they stay in force until a configuration is applied or flush is said"
        } catch {
            problem = error.description
        }
        sync.becameUnknown(because: problem)
        log.error("\(problem)")
    }
}
