internal import Glibc
package import Logging
internal import PlainText
package import SystemPackage

/// Logs to standard error, one line and one write for each event.
///
/// Where that is the journal's stream (`JOURNAL_STREAM` names its device and inode), lines begin with the priority as `<N>`, elsewhere with the
/// level's name. Metadata follow the message as `key=value`, in the keys' order.
package struct JournalLogHandler: LogHandler {
    /// Told with each event.
    package var metadata: Logger.Metadata = [:]
    /// Asked for more at each event.
    package var metadataProvider: Logger.MetadataProvider?
    /// Events below are not told.
    package var logLevel: Logger.Level = .info

    private let descriptor: FileDescriptor
    private let isJournal: Bool

    /// Logs to standard error, which this process's environment tells the kind of.
    package init() {
        self.init(environment: ProcessEnvironment.values(of: "JOURNAL_STREAM"))
    }

    /// - Parameter environment: holds `JOURNAL_STREAM` where systemd set it.
    package init(environment: [String: String], descriptor: FileDescriptor = .standardError) {
        self.descriptor = descriptor
        isJournal = Self.isJournal(descriptor, environment["JOURNAL_STREAM"])
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the event in one write(2); tries no other way where that fails.
    package func log(event: LogEvent) {
        var metadata = metadata
        if let provided = metadataProvider?.get() {
            metadata.merge(provided) { _, new in new }
        }
        if let own = event.metadata { metadata.merge(own) { _, new in new } }
        if let error = event.error { metadata["error"] = "\(error)" }
        let line = Self.line(
            level: event.level, message: "\(event.message)", metadata: metadata,
            isJournal: isJournal)
        let bytes = Array(line.utf8)
        // Where even this fails, there is nobody left to tell.
        while write(descriptor.rawValue, bytes, bytes.count) < 0 && errno == EINTR {}
    }

    /// Whether the variable (`device:inode`) names the file behind the descriptor, which a parent
    /// may have redirected since systemd set the variable.
    private static func isJournal(_ descriptor: FileDescriptor, _ variable: String?) -> Bool {
        var status = stat()
        guard let variable, fstat(descriptor.rawValue, &status) == 0 else { return false }
        return variable == "\(status.st_dev):\(status.st_ino)"
    }

    /// The line with its newline: whatever it tells of, it stays one line, and steers no terminal.
    package static func line(
        level: Logger.Level, message: String, metadata: Logger.Metadata, isJournal: Bool
    ) -> String {
        var line = isJournal ? "<\(priority(of: level))>" : "\(level): "
        line += message.visible
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " \(key.visible)=\(quoted("\(value)"))"
        }
        return line + "\n"
    }

    /// syslog(3)'s.
    private static func priority(of level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func quoted(_ value: String) -> String {
        let needsQuotes = value.isEmpty || value.contains { $0 == " " || $0 == "\"" || $0 == "=" }
        if !needsQuotes { return value.visible }
        return "\""
            + value.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\\\"").visible + "\""
    }
}
