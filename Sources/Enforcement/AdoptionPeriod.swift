internal import Logging
internal import Reports
internal import Ruleset
internal import Site

/// Adopts the connections that stand where the first rules come, see ``Ruleset/adopting``.
extension Reconciler {
    /// Begins to adopt where none of our tables is in the kernel, and goes on where another agent
    /// began. To be called before ``put(_:from:_:)``.
    func considerAdoption(for generation: Generation?, in observed: [ObservedTable]) {
        guard let generation, generation.mode == .enforce, adoptsConnections else {
            adoption = nil
            return
        }
        // A kill at any point leaves rules that end their adoption by themselves; they are taken
        // away later.
        guard observed.isEmpty || observed.contains(where: \.adopts) && adoption == nil else {
            return
        }
        adoption = clock.sinceBoot + .seconds(Ruleset.adoptionTime)
        log.info(
            "adopting connections that stand, for \(Ruleset.adoptionTime) s",
            metadata: ["generation": "\(generation.number)"])
    }

    /// A generation's tables as they are to stand in the kernel now.
    func tables(of generation: Generation) -> Ruleset {
        adoption == nil ? generation.stamped : generation.stamped.adopting
    }

    /// Whether the kernel holds a generation and beside it rules that adopted, which an agent left
    /// that ended, or could not read the kernel, before their time was over: nobody's change.
    func isLeftByAdoption(_ observed: [ObservedTable], of generation: Generation) -> Bool {
        adoption == nil && observed.contains(where: \.adopts)
            && observed.differences(from: generation.stamped.adopting).isEmpty
    }

    /// How long rules adopt; nil where none do.
    var timeToAdopt: Duration? { adoption.map { $0 - clock.sinceBoot } }

    /// Takes the rules away that adopt, once their time is over.
    func endAdoption() async {
        guard let left = timeToAdopt, left <= .zero else { return }
        adoption = nil
        guard let current else { return }
        let wanted = current.stamped
        do throws(ApplyFailure) {
            try await put(wanted, from: try await kernel.tables(knownFrom: [wanted]))
            isInSync()
        } catch {
            fellOutOfSync(error.description)
            tell(.outOfSync, .error, "can't end the adoption of connections: \(error)")
        }
    }
}
