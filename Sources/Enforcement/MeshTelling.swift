/// Says how the nodes reach each other.
extension Reconciler {
    /// What a ``MeshSurvey`` begins with.
    package func meshFacts() async throws(MeshProblem) -> MeshFacts {
        guard let generation = current else {
            throw MeshProblem(description: "nothing is in force")
        }
        let since = pairsNoted
        do {
            return MeshFacts(
                generation: generation,
                tables: try await kernel.kernel.observe(compiled: tableNames),
                notedSince: since, now: clock.now)
        } catch {
            throw MeshProblem(description: "the kernel's tables can't be read: \(error)")
        }
    }
}
