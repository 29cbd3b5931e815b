internal import Enforcement
internal import LinuxSystem
internal import Reports

/// Says what the configuration directory would change, to whoever asks: one after another, since a
/// large site takes much memory, and root beside everybody else.
struct Planner: Sendable {
    private let configuration: HostConfiguration
    private let inspector: Inspector
    private let turns = Turns()
    private let turnsOfRoot = Turns()
    /// It compiles for seconds where there is much.
    private let executor = ThreadTaskExecutor(name: "plans")
    private let executorOfRoot = QueueTaskExecutor(label: "plans-of-root")

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
        return isForRoot
            ? try await plan(request, on: executorOfRoot)
            : try await plan(request, on: executor)
    }

    private func plan(
        _ request: Reconciler.ApplyRequest, on executor: some TaskExecutor
    ) async throws(CancellationError) -> ApplyReport {
        let result = await withTaskExecutorPreference(executor) {
            () -> Result<ApplyReport, CancellationError> in
            let loaded = configuration.read()
            if Task.isCancelled { return .failure(CancellationError()) }
            do throws(CancellationError) {
                return .success(try await inspector.plan(configuration.compile(loaded), request))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
