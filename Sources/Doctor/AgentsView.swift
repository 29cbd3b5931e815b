package import Reports
internal import Ruleset

// The agent's knowledge of the host, where this process may not look itself.

extension Fact where Value == String? {
    /// Whether the kernel takes the rules, by the agent's plan: the reason for which it does not.
    package init(plan: ApplyReport) {
        switch plan.outcome {
        case .unchanged, .wouldApply, .applied, .refused: self = .known(nil)
        case .failed: self = .known(plan.problem ?? "the agent does not say why")
        case .rejected: self.init(unplanned: "the agent finds the configuration wrong")
        }
    }

    /// Whether the kernel takes the rules, where no plan says so.
    ///
    /// - Parameter reason: why there is no plan.
    package init(unplanned reason: String) {
        self = .unknown("whether the kernel takes the rules: \(reason)")
    }

    /// Whether the kernel takes the rules of another directory than the agent's own.
    package static var ofAnotherDirectory: Self {
        Self(
            unplanned:
                "the agent, which could try, is not asked about another directory than its own")
    }
}

extension Fact where Value == [Shadow] {
    /// Other firewalls, where the agent does not tell of them.
    ///
    /// - Parameter reason: why it does not.
    package init(untold reason: String) { self = .unknown("other firewalls: \(reason)") }
}
