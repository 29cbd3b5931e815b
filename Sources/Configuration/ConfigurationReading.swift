internal import Site

/// The files of a configuration directory as they were read, before anything is made of them.
package struct ConfigurationReading: Sendable {
    /// One that could be read.
    package struct File: Hashable, Sendable {
        /// In the directory, as that holds it.
        package let name: [UInt8]
        /// The path as users name it, with the content.
        package let source: ConfigurationSource
        /// When its content was changed last, from 1970.
        package let modified: Duration
    }

    /// In byte order of their names.
    package internal(set) var files: [File] = []
    /// The diagnostics of reading them.
    var findings = Findings()
    /// Whether every file that configures something was read.
    package internal(set) var isComplete = true
    /// Whether events in the directory and above it tell of whatever may change this; otherwise it is
    /// to be read again now and then, and compared.
    package internal(set) var isToldByEvents = true

    init() {}

    /// The configuration that the files hold.
    ///
    /// - Parameter unclosed: names of files that somebody may still be writing, which is warned of.
    package func loaded(unclosed: [[UInt8]] = []) -> LoadedConfiguration {
        var findings = findings
        for file in files where unclosed.contains(file.name) {
            findings.warning(
                SourceLocation(file: file.source.path, line: 1, column: 1),
                "its writer had not closed it when it was read: what was written since is not in it"
            )
        }
        return LoadedConfiguration(
            parsing: files.map(\.source), findings: findings, isComplete: isComplete)
    }

    /// Whether the same is there, whenever it was written.
    package func isSame(as other: Self) -> Bool {
        isComplete == other.isComplete && findings == other.findings
            && files.map(\.source) == other.files.map(\.source)
    }

    /// The files of which something else is there than before, or nothing any more.
    ///
    /// - Parameter earlier: nil for nothing at all.
    /// - Returns: their names, and of those that are there the files.
    package func changes(from earlier: Self?) -> [(name: [UInt8], file: File?)] {
        var before = Dictionary(
            (earlier?.files ?? []).map { ($0.name, $0.source) }, uniquingKeysWith: { $1 })
        var changes: [(name: [UInt8], file: File?)] = []
        for file in files where before.removeValue(forKey: file.name) != file.source {
            changes.append((file.name, file))
        }
        return changes + before.keys.map { ($0, nil) }
    }
}
