package import Reports
internal import Site

extension ApplyReport {
    /// The sentence after the changes, without its end: what is in force, and which flows ended.
    package var conclusion: String {
        let ended = endedFlows ?? 0
        let flows = ended == 0 ? "" : "; ended \(ended.counted("established flow"))"
        return "\(outcome.rawValue): \(inForce)\(flows)"
    }

    /// Why nothing was changed, and what is in force.
    package var refusal: String {
        switch outcome {
        case .rejected: "the configuration has \(errors); nothing was changed: \(inForce)"
        case .refused: "\(problem ?? "refused"); nothing was changed: \(inForce)"
        case .unchanged, .applied, .wouldApply, .failed: problem ?? "failed; \(inForce)"
        }
    }

    /// The sentence after the changes of a plan, without its end; nil where it can't be carried
    /// out, which ``planRefusal`` explains.
    package var planConclusion: String? {
        let now = generation.map { "generation \($0)" } ?? "nothing"
        switch outcome {
        case .unchanged, .applied:
            return "nothing would change: \(now) is what the configuration says"
        case .wouldApply:
            let flows = endedFlows.map { "; \($0.counted("established flow")) would end" } ?? ""
            return "would apply: \(planWords)\(flows); now \(now) is in force"
        case .rejected, .refused, .failed: return nil
        }
    }

    /// Why a plan can't be carried out.
    package var planRefusal: String {
        outcome == .rejected ? "the configuration has \(errors): apply would refuse it" : refusal
    }

    /// The result of a confirmation.
    package var confirmation: Confirmation {
        switch outcome {
        case .applied: .kept("confirmed: generation \(generation ?? 0) stays")
        case .unchanged: .nothingWaits("nothing waits for confirmation")
        case .wouldApply, .rejected, .refused, .failed: .other
        }
    }

    /// An answer to `confirm`.
    package enum Confirmation: Hashable, Sendable {
        case kept(String)
        case nothingWaits(String)
        /// As of any other command.
        case other
    }

    /// The reminder after an apply that is taken back unless it is confirmed.
    ///
    /// - Parameter seconds: the time for it.
    package static func reminder(toConfirmWithin seconds: Int) -> String {
        "say pexip-fwctl confirm within \(seconds) s, or it is taken back"
    }

    private var inForce: String {
        generation.map { "generation \($0) is in force" } ?? "nothing is enforced"
    }

    private var errors: String {
        diagnostics.count { $0.severity == .error }.counted("error")
    }
}

/// The generation that a plan without the agent was compared with.
package enum PlanBasis: Hashable, Sendable {
    case stored(generation: Int)
    /// No generation is stored as the one in force.
    case nothing
    /// The store can't be read, for this reason.
    case unknown(String)

    /// The basis in a sentence without its end.
    package var words: String {
        switch self {
        case .stored(let generation):
            "compared with the stored generation \(generation); the kernel was not asked, and flows were not counted"
        case .nothing: "no generation is in force: everything is new"
        case .unknown(let reason):
            "\(reason): everything is shown as new; the agent knows what is in force"
        }
    }
}
