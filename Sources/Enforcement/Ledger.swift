internal import Logging

/// Which generation is to be in force, as the state directory records it; and what to make of a
/// record that is damaged.
struct Ledger: Sendable {
    private let store: GenerationStore
    private let log: Logger
    /// nil before the first generation.
    private(set) var standing: Standing?
    /// The highest number that was ever in force; nil while that can't be read.
    private var newest: Int?
    private(set) var problem: Problem?

    /// Damage that was found.
    struct Problem: Hashable, Sendable {
        var text: String
        /// What is in force is recorded well again.
        var isHealed = false
    }

    init(_ store: GenerationStore, log: Logger) {
        self.store = store
        self.log = log
    }

    // MARK: Reading

    /// Reads which generation is to be in force.
    ///
    /// Where its file is damaged it is the newest older one that is whole; where the record itself
    /// is, the newest that is whole. A pin stays where it is known: the configuration that somebody
    /// rolled back from must not come into force because a file broke.
    ///
    /// - Returns: nil where none is, or after a flush.
    mutating func load() -> Generation? {
        do throws(StoreError) {
            let stored = try store.numbers()
            guard let recorded = try recordedStanding(stored) else {
                newest = 0
                return nil
            }
            newest = max(recorded.newest, recorded.generation)
            if recorded.isFlushed {
                standing = recorded
                return nil
            }
            let older = stored.reversed().filter { $0 < recorded.generation }
            for number in [recorded.generation] + older {
                do throws(StoreError) {
                    let generation = try store.generation(number)
                    standing = Standing(
                        generation: number, newest: recorded.newest,
                        pinnedAgainst: recorded.pinnedAgainst)
                    return generation
                } catch {
                    isDamaged(error)
                }
            }
        } catch {
            isDamaged(error)
        }
        return nil
    }

    /// What the record says, or what is to be taken for it where it is damaged or gone.
    private mutating func recordedStanding(_ stored: [Int]) throws(StoreError) -> Standing? {
        do throws(StoreError) {
            if let recorded = try store.standing() { return recorded }
            // The first apply stores its generation before it records it.
            if stored.isEmpty || stored == [1] { return nil }
            throw StoreError("\(store.directory) does not record which generation is in force")
        } catch {
            isDamaged(error)
            return stored.last.map { Standing(generation: $0, newest: $0) }
        }
    }

    private mutating func isDamaged(_ error: StoreError) {
        log.error("the stored state is damaged: \(error)")
        let earlier = problem.map { "\($0.text); " } ?? ""
        problem = Problem(text: earlier + error.description)
    }

    /// All generations that were in force, ascending, readable or not: what a killed or failed
    /// apply left behind is not among them.
    private mutating func numbers() throws(StoreError) -> [Int] {
        let newest = try newestNumber()
        return try store.numbers().filter { $0 <= newest }
    }

    private mutating func newestNumber() throws(StoreError) -> Int {
        if let newest { return newest }
        let number = try store.numbers().last ?? 0
        newest = number
        return number
    }

    /// The generations that were in force, ascending; those that can't be read are left out.
    mutating func generations() throws(StoreError) -> [Generation] {
        var found: [Generation] = []
        for number in try numbers() {
            do throws(StoreError) {
                found.append(try store.generation(number))
            } catch {
                log.warning("left out: \(error)")
            }
        }
        return found
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

    // MARK: Writing

    /// The number of the next generation.
    mutating func nextNumber() throws(StoreError) -> Int { try newestNumber() + 1 }

    /// Stores a generation that is about to be put in force.
    func store(_ generation: Generation) throws(StoreError) { try store.write(generation) }

    /// Takes away a generation that could not be put in force. Where that fails the next one
    /// overwrites it, since it is not recorded.
    func discard(_ generation: Generation) {
        do throws(StoreError) {
            try store.remove(generation.number)
        } catch {
            log.warning("the failed generation's file stays: \(error)")
        }
    }

    /// Records what is in force from now on.
    mutating func record(_ number: Int, pinnedAgainst digest: String? = nil) throws(StoreError) {
        try write(
            Standing(
                generation: number, newest: max(try newestNumber(), number), pinnedAgainst: digest))
    }

    /// Records that nothing is in force.
    mutating func recordFlush(against digest: String) throws(StoreError) {
        try write(
            Standing(
                generation: standing?.generation ?? 0, newest: try newestNumber(),
                pinnedAgainst: digest, isFlushed: true))
    }

    private mutating func write(_ new: Standing) throws(StoreError) {
        try store.write(new)
        standing = new
        newest = new.newest
        problem?.isHealed = true
    }

    func prune(keeping number: Int) {
        do throws(StoreError) {
            try store.prune(keeping: number)
        } catch {
            log.warning("old generations stay: \(error)")
        }
    }

    /// Damage that is healed was told long enough.
    mutating func forgetHealedProblem() {
        if problem?.isHealed == true { problem = nil }
    }
}
