internal import PlainText

/// A place in a configuration file. Lines and columns count from 1; a column counts characters.
package struct SourceLocation: Hashable, Sendable, Codable {
    /// The file's path as the user would name it.
    package var file: String
    /// From 1.
    package var line: Int
    /// In characters, from 1.
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

}

extension SourceLocation: CustomStringConvertible {
    /// `file:line:column`.
    package var description: String { "\(file):\(line):\(column)" }
}

/// Something to tell the administrator about the configuration.
package struct Diagnostic: Hashable, Sendable, Codable {
    /// Whether the configuration can be used all the same.
    package enum Severity: String, Hashable, Sendable, Codable, CaseIterable {
        /// Nothing of this configuration reaches the kernel.
        case error
        /// The configuration is used; something about it is probably not what was meant.
        case warning
    }

    package var severity: Severity
    /// nil when the diagnostic concerns the directory as a whole.
    package var location: SourceLocation?
    /// The fault and its remedy, in one sentence without a full stop.
    package var message: String

    /// - Parameter location: nil where it concerns the directory as a whole.
    package init(_ severity: Severity, at location: SourceLocation?, _ message: String) {
        self.severity = severity
        self.location = location
        self.message = message
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `file:line:column: error: message`, as compilers print it.
    package var description: String {
        let words = "\(severity.rawValue): \(message.visible)"
        guard let location else { return words }
        return "\("\(location)".visible): \(words)"
    }
}
