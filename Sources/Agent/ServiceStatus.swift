internal import Enforcement
internal import LinuxSystem
internal import Logging

/// The service manager's view of the agent, for people: the agent goes on where it can't be told.
struct ServiceStatus: Sendable {
    let notifier: ServiceNotifier
    let inspector: Inspector
    let log: Logger

    func ready() {
        let line = inspector.overview.summary
        tell { () throws(SystemError) in try notifier.ready(status: line) }
        log.notice("ready: \(line)")
    }

    /// To be called where the line may be another one.
    func update() {
        let line = inspector.overview.summary
        tell { () throws(SystemError) in try notifier.status(line) }
    }

    func reloading() { tell { () throws(SystemError) in try notifier.reloading() } }

    func stopping() { tell { () throws(SystemError) in try notifier.stopping() } }

    /// The agent does not hang.
    func isAlive() { tell { () throws(SystemError) in try notifier.watchdog() } }

    private func tell(_ body: () throws(SystemError) -> Void) {
        do throws(SystemError) {
            try body()
        } catch {
            log.warning("can't tell the service manager: \(error)")
        }
    }
}
