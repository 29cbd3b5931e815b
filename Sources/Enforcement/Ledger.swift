internal import Logging
internal import Reports

/// Which generation is to be in force, as the state directory records it; and what to make of a
/// record that is damaged.
struct Ledger: Sendable {
    private let store: GenerationStore
    private let log: Logger
    private(set) var record = Record()
    /// The generation that is stored but may not outlast a power cut, until it is recorded.
    private var staged: Int?

    /// The record, as far as it is known.
    struct Record: Hashable, Sendable {
        /// nil before the first generation.
        fileprivate(set) var standing: Standing?
        /// The highest number that was ever in force; nil while that can't be read.
        fileprivate(set) var newest: Int?
        fileprivate(set) var problem: Problem?
        /// The generation that is to be in force is another one than the state directory says.
        fileprivate(set) var isUnrecorded = false
        /// Why the state directory can't be written; nil while it can, as far as is known.
        fileprivate(set) var obstacle: String?
    }

    var standing: Standing? { record.standing }

    /// Damage that was found.
    struct Problem: Hashable, Sendable {
        var text: String
        /// The generation in force is recorded well again.
        var isHealed = false
    }

    init(_ store: GenerationStore, log: Logger) {
        self.store = store
        self.log = log
    }

    // MARK: Reading

    /// Reads which generation is to be in force, confirmed or not.
    ///
    /// Where its file is damaged it is the newest older one that is whole; where the record itself
    /// is, the newest whole one that needs no confirmation. A hold stays where it is known: the
    /// configuration that somebody rolled back from must not come into force because a file broke.
    ///
    /// - Returns: nil where none is, or after a flush.
    mutating func load() -> Generation? {
        do throws(StoreError) {
            let stored = try store.numbers()
            guard let recorded = try recordedStanding(stored) else {
                // A directory that can't be written may be missing altogether, and come back with
                // all it held.
                if record.obstacle == nil { record.newest = 0 }
                return nil
            }
            record.newest = max(recorded.newest, recorded.generation ?? 0)
            record.standing = recorded
            guard let number = recorded.generation else { return nil }
            do throws(StoreError) {
                return try store.generation(number)
            } catch {
                isDamaged(error)
            }
            if let standIn = standIn(for: number, of: stored, told: true) {
                // The pending generation can't come back, nor be confirmed.
                record.standing?.generation = standIn.number
                record.standing?.endPending()
                return standIn
            }
            let isLost = recorded.pending != nil && recorded.pending?.fallback == nil
            record.standing = nil
            if isLost {
                record.standing = recorded
                record.standing?.generation = nil
                record.standing?.endPending()
            }
        } catch {
            isDamaged(error)
        }
        return nil
    }

    /// The generation that takes the place of another, which was or is to be in force: what comes
    /// back where nobody confirms, or else the newest older one; never one that was itself to be
    /// confirmed, and none where nothing was in force before what is pending.
    ///
    /// - Parameter told: whether generations that can't be read are part of the damage that is
    ///   told.
    private mutating func standIn(
        for number: Int, of stored: [Int], told: Bool
    ) -> Generation? {
        var candidates: [Int] = []
        var limit = number
        if let pending = standing?.pending, standing?.generation == number {
            guard let fallback = pending.fallback else { return nil }
            candidates = [fallback]
            limit = fallback
        }
        candidates += stored.reversed().filter { $0 < limit }
        for candidate in candidates {
            do throws(StoreError) {
                let generation = try store.generation(candidate)
                if !generation.isProvisional { return generation }
            } catch {
                if told { isDamaged(error) } else { log.error("skipped: \(error)") }
            }
        }
        return nil
    }

    /// The generation to try where the kernel did not take another; nil where there is none left.
    mutating func standIn(for refused: Generation) -> Generation? {
        do throws(StoreError) {
            return standIn(for: refused.number, of: try numbers(), told: false)
        } catch {
            log.error("no older generation can be found: \(error)")
            return nil
        }
    }

    /// Another generation came in force than the recorded one, which the kernel did not take. The
    /// record stays as it is until something is applied: the next start tries again.
    mutating func substitute(_ standIn: Generation, because reason: String) {
        record.standing?.endPending(because: reason)
        record.standing?.generation = standIn.number
        isDamaged(by: reason)
    }

    /// The record's content, or the one to be taken for it where it is damaged or gone.
    private mutating func recordedStanding(_ stored: [Int]) throws(StoreError) -> Standing? {
        do throws(StoreError) {
            if let recorded = try store.standing() { return recorded }
            // The first apply stores its generation before it records it.
            if stored.isEmpty || stored == [1] { return nil }
            throw StoreError("\(store.directory) does not record which generation is in force")
        } catch {
            isDamaged(error)
            guard let last = stored.last else { return nil }
            return Standing(generation: newestConfirmed(of: stored) ?? last, newest: last)
        }
    }

    /// The newest whole generation that needs no confirmation.
    private func newestConfirmed(of stored: [Int]) -> Int? {
        stored.reversed().first { number in
            do throws(StoreError) {
                return try !store.generation(number).isProvisional
            } catch {
                log.error("skipped: \(error)")
                return false
            }
        }
    }

    private mutating func isDamaged(_ error: StoreError) {
        log.error("the stored state is damaged: \(error)")
        isDamaged(by: error.description)
    }

    private mutating func isDamaged(by reason: String, isHealed: Bool = false) {
        let earlier = record.problem.map { "\($0.text); " } ?? ""
        record.problem = Problem(text: earlier + reason, isHealed: isHealed)
    }

    /// All generations that were in force, ascending, readable or not: what a killed or failed
    /// apply left behind is not among them.
    private mutating func numbers() throws(StoreError) -> [Int] {
        let newest = try newestNumber()
        return try store.numbers().filter { $0 <= newest }
    }

    private mutating func newestNumber() throws(StoreError) -> Int {
        if let newest = record.newest { return newest }
        // A directory that was not there at the start may have been mounted since.
        try store.prepare()
        let number = try store.numbers().last ?? 0
        record.newest = number
        return number
    }

    /// A generation that was in force.
    mutating func generation(_ number: Int) throws(StoreError) -> Generation {
        guard try numbers().contains(number) else {
            throw StoreError("generation \(number) is not in \(store.directory)")
        }
        return try store.generation(number)
    }

    /// A stored generation, whether it was in force or not; nil where there is none.
    func stored(_ number: Int) throws(StoreError) -> Generation? {
        try store.numbers().contains(number) ? try store.generation(number) : nil
    }

    /// The newest generation below a number that can be read.
    mutating func newestGeneration(below limit: Int) throws(StoreError) -> Generation? {
        for number in try numbers().reversed() where number < limit {
            do throws(StoreError) {
                return try store.generation(number)
            } catch {
                log.error("skipped: \(error)")
            }
        }
        return nil
    }

    /// The generation that comes back where nobody confirms, or the newest older one that can be read;
    /// nil for none.
    ///
    /// - Throws: where there should be one and none can be read.
    mutating func fallback(of pending: Pending) throws(ApplyFailure) -> Generation? {
        guard let number = pending.fallback else { return nil }
        do throws(StoreError) {
            return try generation(number)
        } catch {
            log.error("\(error); an older one comes back")
        }
        do throws(StoreError) {
            if let older = standIn(for: number, of: try numbers(), told: false) { return older }
        } catch {
            throw ApplyFailure(error.description)
        }
        throw ApplyFailure("no confirmed generation can be read")
    }

    // MARK: Writing

    /// The number of the next generation.
    mutating func nextNumber() throws(StoreError) -> Int {
        let newest = try newestNumber()
        guard newest < Generation.numbers.upperBound else {
            throw StoreError(
                "\(store.directory) has no number left for another generation: remove what is numbered \(newest) there, and standing.json"
            )
        }
        return newest + 1
    }

    /// Stores a generation that is about to be put in force.
    mutating func store(_ generation: Generation) throws(StoreError) {
        do throws(StoreError) {
            try store.stage(generation)
            staged = generation.number
        } catch {
            cannotWrite(error)
            throw error
        }
    }

    /// Takes away a generation that could not be put in force. Where that fails the next one
    /// overwrites it, since it is not recorded.
    mutating func discard(_ generation: Generation) {
        staged = nil
        do throws(StoreError) {
            try store.remove(generation.number)
        } catch {
            log.warning("the failed generation's file stays: \(error)")
        }
    }

    /// Records what is in force from now on, and why.
    mutating func record(
        _ number: Int?, hold: Hold? = nil, pending: Pending? = nil
    ) throws(StoreError) {
        try write(
            Standing(
                generation: number, newest: max(try newestNumber(), number ?? 0), hold: hold,
                pending: pending))
    }

    /// Records a generation that was taken back. Where that fails it counts all the same, for as
    /// long as this process runs, and ``recordAgain()`` is to be called until it succeeds.
    ///
    /// - Parameter pending: where what is in force now waits for confirmation itself.
    mutating func recordTakenBack(to number: Int?, hold: Hold, pending: Pending? = nil) {
        do throws(StoreError) {
            try record(number, hold: hold, pending: pending)
        } catch {
            record.standing = Standing(
                generation: number, newest: record.newest ?? standing?.newest ?? number ?? 0,
                hold: hold, pending: pending)
            record.isUnrecorded = true
            isDamaged(error)
        }
    }

    /// Writes what could not be written before; does nothing otherwise.
    mutating func recordAgain() {
        guard record.isUnrecorded, let standing else { return }
        do throws(StoreError) {
            try write(standing)
            forgetHealedProblem()
        } catch {
            log.error("still not recorded: \(error)")
        }
    }

    /// Ends the wait for confirmation: the pending generation is in force for good.
    mutating func confirm(_ generation: Generation) throws(StoreError) {
        // The generation first: where the record breaks later, it is found to be confirmed.
        try confirmStored(generation)
        try record(generation.number)
    }

    private mutating func confirmStored(_ generation: Generation) throws(StoreError) {
        guard generation.isProvisional else { return }
        var confirmed = generation
        confirmed.isProvisional = false
        try rewrite(confirmed)
    }

    /// Stores a generation that another version made with its rows, so that they are derived once. Where
    /// that fails, the next start derives them again.
    mutating func keep(_ generation: Generation) {
        do throws(StoreError) {
            try rewrite(generation)
        } catch {
            log.warning("generation \(generation.number) stays as another version made it")
        }
    }

    /// Stores a generation that is in force with something else beside its rules.
    mutating func rewrite(_ generation: Generation) throws(StoreError) {
        do throws(StoreError) {
            try store.write(generation)
        } catch {
            cannotWrite(error)
            throw error
        }
    }

    private mutating func write(_ new: Standing) throws(StoreError) {
        do throws(StoreError) {
            if let staged { try store.flush(staged) }
            staged = nil
            try store.write(new)
        } catch {
            cannotWrite(error)
            throw error
        }
        record.obstacle = nil
        record.standing = new
        record.newest = new.newest
        record.isUnrecorded = false
        record.problem?.isHealed = true
    }

    /// Removes old generations, but none that is in force or that may come back.
    func prune() {
        do throws(StoreError) {
            try store.prune(
                keeping: Set([standing?.generation, standing?.pending?.fallback].compactMap { $0 }))
        } catch {
            log.warning("old generations stay: \(error)")
        }
    }

    /// Readies the state directory for writing. To be called before ``load()`` by who will write.
    mutating func prepare() {
        do throws(StoreError) {
            try store.prepare()
            record.obstacle = nil
        } catch {
            cannotWrite(error)
        }
    }

    private mutating func cannotWrite(_ error: StoreError) {
        if record.obstacle == nil { log.error("\(error)") }
        record.obstacle = error.description
    }

    /// Makes sure that the next start will find what is in force, whatever became of the state
    /// directory meanwhile.
    mutating func secure(_ current: Generation?) {
        // A damaged file is not written over before something takes its place.
        let wasBlocked = record.obstacle != nil
        prepare()
        guard record.obstacle == nil, let standing, record.problem?.isHealed != false else {
            return
        }
        do throws(StoreError) {
            if let current, !store.isWhole(current.number) {
                try store.write(current)
                wasRewritten("generation \(current.number)")
            }
            if !isRecorded(standing) {
                try write(standing)
                wasRewritten("the record of what is in force")
            } else if wasBlocked {
                // Only this tells whether there is room again.
                try write(standing)
            }
        } catch {
            cannotWrite(error)
        }
    }

    private func isRecorded(_ standing: Standing) -> Bool {
        do throws(StoreError) {
            return try store.standing() == standing
        } catch {
            return false
        }
    }

    private mutating func wasRewritten(_ what: String) {
        let text = "\(what) was gone from \(store.directory), or damaged: it was written anew"
        log.error("\(text)")
        isDamaged(by: text, isHealed: true)
    }

    /// Damage that is healed was told long enough.
    mutating func forgetHealedProblem() {
        if record.problem?.isHealed == true { record.problem = nil }
    }
}
