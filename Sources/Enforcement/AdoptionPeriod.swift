internal import Logging
internal import Reports
internal import Ruleset
internal import Site

/// The time for which rules adopt the connections that stand where the first rules came, see
/// ``Ruleset/adopting``.
struct AdoptionPeriod: Hashable, Sendable {
    /// Whether rules that come where there were none adopt at all.
    let isAllowed: Bool
    /// Until when they adopt, since the host was started; nil where they don't.
    private(set) var end: Duration?

    init(isAllowed: Bool) { self.isAllowed = isAllowed }

    /// Begins where none of our tables is in the kernel, and goes on where another agent began. To be
    /// called before the generation is put there.
    ///
    /// - Parameters:
    ///   - generation: nil for none.
    ///   - now: since the host was started.
    /// - Returns: whether it began.
    mutating func consider(
        _ generation: Generation?, in observed: [ObservedTable], at now: Duration
    ) -> Bool {
        guard let generation, generation.mode == .enforce, isAllowed else {
            end = nil
            return false
        }
        // A kill at any point leaves rules that end their adoption by themselves; they are taken
        // away later.
        guard observed.isEmpty || observed.contains(where: \.adopts) && end == nil else {
            return false
        }
        end = now + .seconds(Ruleset.adoptionTime)
        return true
    }

    /// The rules are to adopt no more.
    mutating func stop() { end = nil }

    /// How long rules adopt; nil where none do.
    func left(at now: Duration) -> Duration? { end.map { $0 - now } }

    /// A generation's tables as they are to stand in the kernel now.
    func tables(of generation: Generation) -> Ruleset {
        end == nil ? generation.stamped : generation.stamped.adopting
    }

    /// Whether the kernel holds a generation and beside it rules that adopted, which an agent left
    /// that ended, or could not read the kernel, before their time was over: nobody's change.
    func isLeft(in observed: [ObservedTable], of generation: Generation) -> Bool {
        end == nil && observed.contains(where: \.adopts)
            && observed.differences(from: generation.stamped.adopting).isEmpty
    }
}

extension Reconciler {
    /// Begins to adopt where it is time for that. To be called before ``put(_:from:_:)``.
    func considerAdoption(for generation: Generation?, in observed: [ObservedTable]) {
        let begins = desired.considerAdoption(for: generation, in: observed, at: clock.sinceBoot)
        guard begins, let generation else { return }
        log.info(
            "adopting connections that stand, for \(Ruleset.adoptionTime) s",
            metadata: ["generation": "\(generation.number)"])
    }

    /// How long rules adopt; nil where none do.
    var timeToAdopt: Duration? { desired.adoption.left(at: clock.sinceBoot) }

    /// Takes the rules away that adopt, once their time is over.
    func endAdoption() async {
        guard let left = timeToAdopt, left <= .zero else { return }
        desired.endAdoption()
        guard let current else { return }
        let wanted = current.stamped
        do throws(ApplyFailure) {
            try await put(wanted, from: try await kernel.tables(knownFrom: [wanted]))
            sync.cameInSync()
        } catch {
            sync.fellOut(because: error.description)
            tell(.outOfSync, .error, "can't end the adoption of connections: \(error)")
        }
    }
}
