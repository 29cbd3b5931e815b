internal import Synchronization

/// The last overview that the reconciler published, for all that ask meanwhile.
final class Published: Sendable {
    private let last: Mutex<Overview>

    init(_ overview: Overview) { last = Mutex(overview) }

    var overview: Overview { last.withLock { $0 } }

    func publish(_ overview: Overview) { last.withLock { $0 = overview } }
}
