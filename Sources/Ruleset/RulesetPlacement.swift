package import Site

extension Placement.JudgingHook {
    fileprivate var point: Hook.Point {
        switch self {
        case .input: .input
        case .forward: .forward
        case .output: .output
        }
    }
}

extension Table {
    /// Where the table judges, by its family and its hooks; nil where it has none that judge.
    var placement: Placement? {
        let points = chains.compactMap { $0.hook?.point }
        return Placement.allCases.first { placement in
            let facts = placement.facts
            return facts.family == family && facts.hooks.contains { points.contains($0.point) }
        }
    }
}

extension Ruleset {
    /// Where the ruleset judges; local where it judges nothing.
    package var placement: Placement { tables.lazy.compactMap(\.placement).first ?? .local }
}
