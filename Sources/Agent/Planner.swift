internal import Enforcement
internal import LinuxSystem

/// Says what the configuration directory would change, to whoever asks: one after another, since a
/// large site takes much memory, and root beside everybody else.
struct Planner: Sendable {
    private let configuration: HostConfiguration
    private let inspector: Inspector
    private let turns = Turns()
    private let turnsOfRoot = Turns()

    init(_ configuration: HostConfiguration, _ inspector: Inspector) {
        self.configuration = configuration
        self.inspector = inspector
    }

    /// - Throws: where the task is cancelled.
    func plan(
        _ request: Reconciler.ApplyRequest, isForRoot: Bool
    ) async throws(CancellationError) -> ApplyReport {
        let turns = isForRoot ? turnsOfRoot : turns
        try await turns.takeUnlessCancelled()
        defer { turns.give() }
        let loaded = configuration.read()
        if Task.isCancelled { throw CancellationError() }
        return try await inspector.plan(configuration.compile(loaded), request)
    }
}
