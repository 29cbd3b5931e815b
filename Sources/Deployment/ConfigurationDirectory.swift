internal import Glibc

/// The directory of drop-in files that configure a deployment.
package struct ConfigurationDirectory: Sendable {
    package let path: String

    package init(_ path: String) {
        var path = path
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    /// Reads, merges, decodes and validates the files `*.yaml` in byte order of their names.
    ///
    /// Never fails otherwise than by diagnostics. Without files the result has neither errors nor a
    /// deployment.
    ///
    /// - Parameter draft: a file to take in place of the one of its path, or beside the others.
    package func load(with draft: ConfigurationSource? = nil) -> LoadedConfiguration {
        var reader = DirectoryReader(path: path)
        reader.read()
        var sources = reader.sources
        if let draft {
            sources = (sources.filter { $0.path != draft.path } + [draft]).sorted {
                $0.path.utf8.lexicographicallyPrecedes($1.path.utf8)
            }
        }
        return LoadedConfiguration(
            parsing: sources, findings: reader.findings, isComplete: reader.isComplete)
    }
}

/// Reads the files of one directory as far as they may be trusted.
private struct DirectoryReader {
    let path: String
    private(set) var sources: [ConfigurationSource] = []
    private(set) var findings = Findings()
    /// Of the files that were read.
    private var identities: Set<FileStatus.Identity> = []
    /// Whether every file that configures something was read.
    private(set) var isComplete = true

    init(path: String) { self.path = path }

    mutating func read() {
        guard let directory = OpenDirectory(path) else {
            let code = errno
            refuseDirectory(
                code == ENOENT
                    ? "\(path) does not exist: create it, or name another directory"
                    : "\(path) cannot be opened as a directory (\(text(of: code)))")
            return
        }
        guard let status = FileStatus(of: directory.descriptor) else {
            refuseDirectory("\(path) cannot be examined (\(text(of: errno)))")
            return
        }
        if let problem = status.problem(at: path) {
            refuseDirectory("\(path) \(problem)")
            return
        }
        let names: [FileName]
        switch directory.names() {
        case .success(let found): names = found
        case .failure(let error):
            refuseDirectory("\(path) cannot be listed (\(text(of: error.code)))")
            return
        }
        let files = names.filter { $0.purpose == .configuration }.sorted()
        guard files.count <= ConfigurationLimits.files else {
            refuseDirectory(
                "\(path) holds \(files.count) files: at most \(ConfigurationLimits.files) are read, so join some"
            )
            return
        }
        read(files, in: directory)
        for name in names where name.purpose == .misnamed { warnOfIgnored(name, in: directory) }
    }

    private mutating func read(_ files: [FileName], in directory: borrowing OpenDirectory) {
        var total = 0
        for name in files {
            guard let bytes = bytes(of: name, in: directory) else { continue }
            total += bytes.count
            guard total <= ConfigurationLimits.bytesOfAllFiles else {
                refuseDirectory(
                    "\(path) holds more than \(ConfigurationLimits.bytesOfAllFiles >> 20) MiB in its files: remove some"
                )
                return
            }
            sources.append(ConfigurationSource(path: location(name).file, bytes: bytes))
        }
    }

    /// The file's bytes, or nil when it is gone or refused.
    private mutating func bytes(
        of name: FileName, in directory: borrowing OpenDirectory
    ) -> [UInt8]? {
        guard name.isPrintable else {
            refuse(name, "its name has characters that cannot be printed: rename it")
            return nil
        }
        guard let file = OpenFile(name, in: directory) else {
            let code = errno
            // Gone since the directory was listed, as if it had never been there. A symbolic link
            // that leads nowhere is still there.
            if code == ENOENT, !directory.contains(name) { return nil }
            switch code {
            case EACCES, EPERM:
                refuse(
                    name,
                    "cannot be opened (\(text(of: code))): let the agent read it, as by chmod o+r \(shellWord(location(name).file))"
                )
            case ENOENT:
                refuse(name, "is a symbolic link to nothing: remove it or correct its target")
            default: refuse(name, "cannot be opened (\(text(of: code)))")
            }
            return nil
        }
        guard let status = FileStatus(of: file.descriptor) else {
            refuse(name, "cannot be examined (\(text(of: errno)))")
            return nil
        }
        guard status.isRegularFile else {
            refuse(name, "is not a regular file: remove it or give it another name")
            return nil
        }
        identities.insert(status.identity)
        if let problem = status.problem(at: location(name).file) {
            refuse(name, problem)
            return nil
        }
        switch file.contents(atMost: ConfigurationLimits.bytesOfFile + 1) {
        case .success(let bytes) where bytes.count > ConfigurationLimits.bytesOfFile:
            refuse(
                name,
                "is larger than \(ConfigurationLimits.bytesOfFile >> 20) MiB: split it into several files"
            )
            return nil
        case .success(let bytes): return bytes
        case .failure(let error):
            refuse(name, "cannot be read (\(text(of: error.code)))")
            return nil
        }
    }

    private mutating func warnOfIgnored(
        _ name: FileName, in directory: borrowing OpenDirectory
    ) {
        let status = directory.status(of: name)
        // A link of another name may lead to it.
        if let status, identities.contains(status.identity) { return }
        if status?.isDirectory == true {
            if name.isDirectoryOfItsOwn { return }
            findings.warning(
                location(name),
                "ignored, because files in directories below are not read: move them up, or all of it elsewhere"
            )
            return
        }
        let other = name.configurationName.map { escaped($0.text) }
        findings.warning(
            location(name),
            "ignored, because only files that end in .yaml are read: \(other.map { "rename it to \($0)" } ?? "move it elsewhere")"
        )
    }

    private mutating func refuse(_ name: FileName, _ message: String) {
        isComplete = false
        findings.error(location(name), message)
    }

    private mutating func refuseDirectory(_ message: String) {
        isComplete = false
        findings.error(nil, message)
    }

    private func location(_ name: FileName) -> SourceLocation {
        let text = name.isPrintable ? name.text : escaped(name.text)
        let file = path.hasSuffix("/") ? path + text : "\(path)/\(text)"
        return SourceLocation(file: file, line: 1, column: 1)
    }

    private func text(of code: Int32) -> String { String(cString: strerror(code)) }
}
