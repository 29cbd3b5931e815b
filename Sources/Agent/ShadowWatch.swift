internal import Enforcement
internal import LinuxSystem
internal import Netlink
internal import Nftables
internal import Reports
internal import Ruleset
internal import Synchronization

/// Notices that other programs changed their tables, and says when to look at them: however busy
/// they are, one look at a time is due.
final class ShadowWatch: Sendable {
    private struct State {
        var pace = ShadowPace()
        var isLooking = false
        /// It was time again while somebody looked.
        var isDue = false
        /// Those in force.
        var ownTables: Set<TableID> = []
    }

    private let state = Mutex(State())
    private let timer = PendingTimer()
    private let executor = QueueTaskExecutor(label: "shadow-watch")
    private let look: @Sendable () -> Void

    /// - Parameter look: called when it is time.
    init(_ look: @escaping @Sendable () -> Void) { self.look = look }

    /// Takes these tables for ours from now on; any other, however much it looks like one of ours,
    /// is another program's.
    func follow(_ tables: Set<TableID>) { state.withLock { $0.ownTables = tables } }

    func heard(_ event: RulesetEvent) {
        switch event {
        case .change(let change):
            let own = state.withLock { $0.ownTables }
            let isForeign =
                change.touchesOtherFamilies || change.tables.keys.contains { !own.contains($0) }
            if isForeign { schedule() }
        case .lost: schedule()
        case .failed: break
        }
    }

    /// Runs `body` beside everything else, unless it runs already: then it is scheduled again.
    func run(_ body: @escaping @Sendable () async -> Void) {
        let isFree = state.withLock { state in
            state.isDue = state.isLooking
            defer { state.isLooking = true }
            return !state.isLooking
        }
        guard isFree else { return }
        Task(executorPreference: executor) { [self] in
            await body()
            let isDue = state.withLock { state in
                state.pace.looked(now: .now)
                state.isLooking = false
                return state.isDue
            }
            if isDue { schedule() }
        }
    }

    private func schedule() {
        timer.schedule(after: state.withLock { $0.pace.delay(now: .now) }, look)
    }
}
