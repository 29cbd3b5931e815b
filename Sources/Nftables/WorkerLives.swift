internal import Netlink

/// Which transactions our workers made.
///
/// A notification names the committing thread, not whose it is. A worker's thread is ours for the
/// whole life of the worker, which generation ids bound.
struct WorkerLives {
    private struct Life {
        var thread: Int32
        var after: UInt32
        /// Known when the next worker has looked: whatever this one did came before.
        var upTo = UInt32.max
    }

    private static let remembered = 64

    private var lives: [Life] = []

    /// - Parameter generation: the ruleset's when the worker looked first.
    mutating func began(on thread: Int32, at generation: UInt32) {
        if !lives.isEmpty { lives[lives.count - 1].upTo = generation }
        // Notifications come soon or not at all; old lives only cost memory.
        if lives.count == Self.remembered { lives.removeFirst() }
        lives.append(Life(thread: thread, after: generation))
    }

    func contain(_ change: RulesetChange) -> Bool {
        lives.contains {
            $0.thread == change.writer.pid && change.generationID > $0.after
                && change.generationID <= $0.upTo
        }
    }
}
