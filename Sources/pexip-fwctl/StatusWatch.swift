import Control
@preconcurrency import Dispatch
import Display
import Enforcement
import Glibc
import Reports

/// The status as it is now, again and again: at each event, and now and then for the counters.
struct StatusWatch {
    /// How often counters are read where nothing happens.
    private static let interval = Duration.seconds(2)
    /// How often ages and what is left of a time are told anew, in milliseconds.
    private static let tick: Int32 = 1_000
    /// Events come in bursts; so long, in microseconds, is waited for the rest of one.
    private static let settling: UInt32 = 50_000

    private let connection: ConnectionOptions
    private let isScreen = Terminal.isScreen
    private let events: EventBell

    init(_ connection: ConnectionOptions) throws {
        self.connection = connection
        events = try EventBell()
    }

    /// Goes on until it is interrupted, or nobody reads any more.
    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        if isScreen { takeScreen() }
        defer { if isScreen { _ = Terminal.written(Self.leaving) } }
        if !isScreen {
            // Being interrupted is how this ends.
            for number in [SIGINT, SIGTERM, SIGHUP] { signal(number) { _ in _exit(0) } }
        }
        events.follow(connection.socket)
        let clock = ContinuousClock()
        var answer = try ask()
        var asked = clock.now
        var hasNews = true
        while true {
            if hasNews || isScreen {
                guard show(answer, elapsed: clock.now - asked) else { return }
            }
            let hasEvent = events.wait(milliseconds: Self.tick)
            if hasEvent { usleep(Self.settling) }
            hasNews = hasEvent || clock.now - asked >= Self.interval
            if hasNews {
                asked = clock.now
                answer = try ask()
            }
        }
    }

    /// The agent's status, or its silence: it may be started again while this goes on.
    private func ask() throws -> WatchedStatus {
        do {
            return .report(try connection.status())
        } catch let failure as Failure where failure.status != .notPermitted {
            return .silence(failure.description)
        }
    }

    private func show(_ status: WatchedStatus, elapsed: Duration) -> Bool {
        let (now, elapsed) = (Timestamp.now, Int(elapsed.components.seconds))
        guard isScreen else {
            let lines = Terminal.lines(of: status.page(now: now, elapsed: elapsed))
            return Terminal.written("\(now)\n\(lines.joined(separator: "\n"))\n\n")
        }
        let page = status.screen(
            now: now, elapsed: elapsed, interval: Int(Self.interval.components.seconds))
        let lines = WatchedStatus.cut(Terminal.lines(of: page), rows: Terminal.size?.rows)
        return Terminal.written(Self.frame(lines))
    }

    /// Sequences that replace the lines on the screen without a flicker.
    private static func frame(_ lines: [String]) -> String {
        "\u{1b}[H" + lines.joined(separator: "\u{1b}[K\r\n") + "\u{1b}[K\u{1b}[J"
    }

    // MARK: The screen

    /// Another screen without a cursor; the one before comes back with all that stood on it.
    private static let entering = "\u{1b}[?1049h\u{1b}[?25l"
    private static let leaving = "\u{1b}[?25h\u{1b}[?1049l"

    /// The terminal is as it was before, whatever ends or stops this program. Handlers may do no more
    /// than write: the sequences are constants of theirs.
    private func takeScreen() {
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            signal(number) { _ in
                let leaving: StaticString = "\u{1b}[?25h\u{1b}[?1049l"
                write(STDOUT_FILENO, leaving.utf8Start, leaving.utf8CodeUnitCount)
                _exit(0)
            }
        }
        signal(SIGTSTP) { _ in
            let leaving: StaticString = "\u{1b}[?25h\u{1b}[?1049l"
            write(STDOUT_FILENO, leaving.utf8Start, leaving.utf8CodeUnitCount)
            kill(getpid(), SIGSTOP)
        }
        signal(SIGCONT) { _ in
            let entering: StaticString = "\u{1b}[?1049h\u{1b}[?25l"
            write(STDOUT_FILENO, entering.utf8Start, entering.utf8CodeUnitCount)
        }
        // Interrupts the wait, so that what is shown fits at once.
        signal(SIGWINCH) { _ in }
        _ = Terminal.written(Self.entering)
    }
}

/// Rings when the agent tells an event, or comes or goes.
private struct EventBell {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0,
            ends.allSatisfy({ fcntl($0, F_SETFL, O_NONBLOCK) == 0 })
        else {
            throw Failure(.failure, "can't make a pipe: \(String(cString: strerror(errno)))")
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    /// Follows the agent's events as long as this program runs, through its restarts.
    func follow(_ socket: String) {
        DispatchQueue(label: "events").async { @Sendable [self] in
            while true {
                do {
                    try VarlinkClient(path: socket).callMore(
                        ControlMethods.monitor.description.fullName
                    ) { _ in
                        ring()
                        return true
                    }
                } catch {
                    // The one who is rung for asks the agent, and shows why it does not answer.
                }
                ring()
                sleep(1)
            }
        }
    }

    private func ring() {
        var byte: UInt8 = 0
        // A full pipe rings already.
        _ = write(writeEnd, &byte, 1)
    }

    /// Whether it rang within the time.
    func wait(milliseconds: Int32) -> Bool {
        var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, milliseconds) > 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(readEnd, &bytes, bytes.count) > 0 {}
        return true
    }
}
