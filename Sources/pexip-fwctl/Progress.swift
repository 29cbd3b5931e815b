@preconcurrency import Dispatch
import Glibc
import Synchronization

/// Says on a terminal's standard error that something still goes on, once it takes over a second.
struct Progress {
    private static let queue = DispatchQueue(label: "progress")
    private let timer: (any DispatchSourceTimer)?
    private let line = Line()

    private final class Line: Sendable { let isShown = Mutex(false) }

    init(_ what: String) {
        guard isatty(STDERR_FILENO) == 1 else {
            timer = nil
            return
        }
        let timer = DispatchSource.makeTimerSource(queue: Self.queue)
        let start = ContinuousClock.now
        timer.schedule(deadline: .now() + 1, repeating: 1)
        timer.setEventHandler { @Sendable [line] in
            line.isShown.withLock { $0 = true }
            let seconds = (ContinuousClock.now - start).components.seconds
            Self.write("\r\(what): \(seconds) s\u{1b}[K")
        }
        timer.resume()
        self.timer = timer
    }

    /// Takes the line away; after this nothing is written.
    func end() {
        guard let timer else { return }
        timer.cancel()
        Self.queue.sync {}
        if line.isShown.withLock({ $0 }) { Self.write("\r\u{1b}[K") }
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        // Nothing is left to tell where standard error is closed.
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
