internal import Reports
internal import Ruleset
internal import Site

/// The rules that the kernel is to hold, with all that is only true of these: other rules come with
/// other tables, another deployment, and flows that nobody has looked for.
struct DesiredRules: Sendable {
    /// nil before the first and after a flush.
    private(set) var generation: Generation?
    /// The deployment that ``generation`` was compiled from.
    private(set) var deployment = DeploymentSource(nil)
    /// Its tables as they are to stand in the kernel, once they were needed.
    private(set) var stamped: Ruleset?
    /// Whether they adopt connections. It is known before the rules that will adopt are in force.
    private(set) var adoption: AdoptionPeriod {
        didSet { if adoption != oldValue { stamped = nil } }
    }
    /// Of the flows that ``generation`` does not permit, the last time that they were looked for.
    private(set) var revocation = Revocation()

    init(adoption: AdoptionPeriod) { self.adoption = adoption }

    /// From now on the kernel is to hold a generation, or none.
    ///
    /// - Parameters:
    ///   - deployment: the one that it was compiled from, where that is known.
    ///   - tables: its tables as they stand in the kernel, where that is known.
    mutating func hold(
        _ generation: Generation?, from deployment: Deployment? = nil, as tables: Ruleset? = nil
    ) {
        if generation?.number != self.generation?.number { revocation = Revocation() }
        self.generation = generation
        self.generation?.resolveRows()
        stamped = tables
        self.deployment = DeploymentSource(generation, deployment)
    }

    /// The generation needs no confirmation any more.
    mutating func confirm() { generation?.isProvisional = false }

    /// A generation's tables as they are to stand in the kernel now.
    func tables(of generation: Generation) -> Ruleset { adoption.tables(of: generation) }

    /// ``stamped``, for a generation that is in force.
    mutating func tables(inForce generation: Generation) -> Ruleset {
        let tables = stamped ?? tables(of: generation)
        stamped = tables
        return tables
    }

    /// See ``AdoptionPeriod/consider(_:in:at:)``.
    mutating func considerAdoption(
        for generation: Generation?, in observed: [ObservedTable], at now: Duration
    ) -> Bool {
        adoption.consider(generation, in: observed, at: now)
    }

    /// The rules are to adopt no more.
    mutating func endAdoption() { adoption.stop() }

    /// Flows were looked for that a generation, or none, does not permit. Another one may have come
    /// since.
    mutating func looked(forFlowsOf number: Int?, _ result: Revocation) {
        if !result.isSuperseded, generation?.number == number { revocation = result }
    }
}
