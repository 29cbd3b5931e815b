internal import LinuxSystem
internal import Netlink
internal import Nftables
internal import Ruleset
internal import Synchronization

/// Changes of the ruleset that were heard and not taken up yet: however fast others commit, it
/// holds a bounded number of changes and one event stands in the queue.
final class HeardChanges: Sendable {
    struct Heard {
        var changes: [RulesetChange] = []
        /// Some are missing.
        var isIncomplete = false
        /// Why nothing more is heard.
        var failure: String?
        /// When the first of it was heard, since the host was started.
        var since: Duration?
    }

    private static let held = 64
    private let heard = Mutex(Heard())

    /// Keeps what concerns our tables. True where it is the first since ``take()``.
    func add(_ event: RulesetEvent) -> Bool {
        heard.withLock { heard in
            let isFirst =
                heard.changes.isEmpty && !heard.isIncomplete && heard.failure == nil
            switch event {
            case .change(let change):
                guard change.tables.keys.contains(where: OwnTable.isID)
                else { return false }
                if heard.changes.count == Self.held {
                    heard.changes.removeFirst()
                    heard.isIncomplete = true
                }
                heard.changes.append(change)
            case .lost: heard.isIncomplete = true
            case .failed(let reason): heard.failure = reason
            }
            if isFirst { heard.since = BootTime.now }
            return isFirst
        }
    }

    /// The changes that were heard since the last time.
    func take() -> Heard {
        heard.withLock { heard in
            defer { heard = Heard() }
            return heard
        }
    }
}
