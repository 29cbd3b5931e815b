internal import Enforcement
internal import Nftables
internal import Ruleset
internal import Synchronization

/// Notices that other programs changed their tables, and says when to look at them: however busy
/// they are, one look at a time is due.
final class ShadowWatch: Sendable {
    private let pace = Mutex(ShadowPace())
    private let timer = PendingTimer()
    private let look: @Sendable () -> Void

    /// - Parameter look: called when it is time; ``looked()`` is to follow.
    init(_ look: @escaping @Sendable () -> Void) { self.look = look }

    func heard(_ event: RulesetEvent) {
        switch event {
        case .change(let change):
            let isForeign =
                change.touchesOtherFamilies
                || change.tables.contains { !$0.hasPrefix(ObservedTable.namePrefix) }
            if isForeign { schedule() }
        case .lost: schedule()
        case .failed: break
        }
    }

    func looked() { pace.withLock { $0.looked(now: .now) } }

    private func schedule() {
        timer.schedule(after: pace.withLock { $0.delay(now: .now) }, look)
    }
}
