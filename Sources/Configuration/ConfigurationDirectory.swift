internal import LinuxSystem
internal import Site
internal import SystemPackage

/// The directory of drop-in files that configure a deployment.
package struct ConfigurationDirectory: Sendable {
    /// Without slashes at its end, except for the root.
    package let path: String

    /// - Parameter path: slashes at its end are taken off.
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
        let reading = read()
        var sources = reading.files.map(\.source)
        if let draft {
            sources = (sources.filter { $0.path != draft.path } + [draft]).sorted {
                $0.path.utf8.lexicographicallyPrecedes($1.path.utf8)
            }
        }
        return LoadedConfiguration(
            parsing: sources, findings: reading.findings, isComplete: reading.isComplete)
    }

    /// Reads the files, as far as they may be trusted, and looks at nothing in them.
    package func read() -> ConfigurationReading {
        var reader = DirectoryReader(path: path)
        reader.read()
        return reader.reading
    }

    /// The path of a file in the directory, as messages have it.
    package func path(of name: [UInt8]) -> String {
        let name = FileName(bytes: name)
        let text = name.isPrintable ? name.text : escaped(name.text)
        return path.hasSuffix("/") ? path + text : "\(path)/\(text)"
    }

    /// Whether a file of this name in the directory is configuration.
    package static func isConfiguration(_ name: [UInt8]) -> Bool {
        FileName(bytes: name).purpose == .configuration
    }
}

/// Reads the files of one directory as far as they may be trusted.
private struct DirectoryReader {
    let path: String
    private(set) var reading = ConfigurationReading()
    /// Of the files that were read.
    private var identities: Set<FileFacts.Identity> = []

    init(path: String) { self.path = path }

    mutating func read() {
        do throws(OpenedFile.Problem) {
            try read(OpenedFile(directory: path))
        } catch {
            // Where a link leads, nobody tells when something comes there.
            reading.isToldByEvents = !OpenedFile.hasLink(onWayTo: path)
            switch error {
            case .distrusted(let reason): refuseDirectory(reason)
            case .failed(let error) where error.errno == .noSuchFileOrDirectory:
                refuseDirectory("\(path) does not exist: create it, or name another directory")
            case .failed(let error):
                refuseDirectory("\(path) cannot be opened as a directory (\(error.errno))")
            }
        }
    }

    private mutating func read(_ directory: borrowing OpenedFile) {
        if !directory.isToldByEvents { reading.isToldByEvents = false }
        if let distrust = directory.facts.distrust() {
            refuseDirectory("\(path) \(distrust.words(at: path))")
            return
        }
        let names: [FileName]
        do throws(SystemError) {
            names = try directory.names(at: path).map { FileName(bytes: $0) }
        } catch {
            refuseDirectory("\(path) cannot be listed (\(error.errno))")
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

    private mutating func read(_ files: [FileName], in directory: borrowing OpenedFile) {
        var total = 0
        for name in files {
            guard let file = file(name, in: directory) else { continue }
            total += file.source.bytes.count
            guard total <= ConfigurationLimits.bytesOfAllFiles else {
                refuseDirectory(
                    "\(path) holds more than \(ConfigurationLimits.bytesOfAllFiles >> 20) MiB in its files: remove some"
                )
                return
            }
            reading.files.append(file)
        }
    }

    /// The file's content, or nil when it is gone or refused.
    private mutating func file(
        _ name: FileName, in directory: borrowing OpenedFile
    ) -> ConfigurationReading.File? {
        guard name.isPrintable else {
            refuse(name, "its name has characters that cannot be printed: rename it")
            return nil
        }
        do throws(OpenedFile.Problem) {
            return try file(
                of: OpenedFile(file: name.bytes, in: directory, at: path), name)
        } catch {
            // The target of a link may come, and change, without any event.
            if case .link? = directory.entry(name.bytes) { reading.isToldByEvents = false }
            switch error {
            case .distrusted(let reason): refuse(name, reason)
            case .failed(let error):
                let isGone = error.errno == .noSuchFileOrDirectory
                // Gone since the directory was listed, as if it had never been there. A symbolic
                // link that leads nowhere is still there.
                if isGone, directory.entry(name.bytes) == nil { return nil }
                switch error.errno {
                case .permissionDenied, .notPermitted:
                    refuse(
                        name,
                        "cannot be opened (\(error.errno)): let the agent read it, as by chmod o+r \(shellWord(location(name).file))"
                    )
                case .noSuchFileOrDirectory:
                    refuse(name, "is a symbolic link to nothing: remove it or correct its target")
                default: refuse(name, "cannot be opened (\(error.errno))")
                }
            }
            return nil
        }
    }

    private mutating func file(
        of file: borrowing OpenedFile, _ name: FileName
    ) -> ConfigurationReading.File? {
        let path = location(name).file
        if !file.isToldByEvents { reading.isToldByEvents = false }
        guard file.facts.isRegularFile else {
            refuse(name, "is not a regular file: remove it or give it another name")
            return nil
        }
        identities.insert(file.facts.identity)
        if let distrust = file.facts.distrust() {
            refuse(name, distrust.words(at: path))
            return nil
        }
        do throws(SystemError) {
            let limit = ConfigurationLimits.bytesOfFile
            let bytes = try file.contents(atMost: limit + 1, of: path)
            if bytes.count <= limit {
                return ConfigurationReading.File(
                    name: name.bytes, source: ConfigurationSource(path: path, bytes: bytes),
                    modified: file.facts.modified)
            }
            refuse(name, "is larger than \(limit >> 20) MiB: split it into several files")
        } catch {
            refuse(name, "cannot be read (\(error.errno))")
        }
        return nil
    }

    private mutating func warnOfIgnored(
        _ name: FileName, in directory: borrowing OpenedFile
    ) {
        let kind = directory.kind(of: name.bytes)
        // A link of another name may lead to it.
        if let kind, identities.contains(kind.identity) { return }
        if kind?.isDirectory == true {
            if name.isDirectoryOfItsOwn { return }
            reading.findings.warning(
                location(name),
                "ignored, because files in directories below are not read: move them up, or all of it elsewhere"
            )
            return
        }
        let other = name.configurationName.map { escaped($0.text) }
        reading.findings.warning(
            location(name),
            "ignored, because only files that end in .yaml are read: \(other.map { "rename it to \($0)" } ?? "move it elsewhere")"
        )
    }

    private mutating func refuse(_ name: FileName, _ message: String) {
        reading.isComplete = false
        reading.findings.error(location(name), message)
    }

    private mutating func refuseDirectory(_ message: String) {
        reading.isComplete = false
        reading.findings.error(nil, message)
    }

    private func location(_ name: FileName) -> SourceLocation {
        SourceLocation(
            file: ConfigurationDirectory(path).path(of: name.bytes), line: 1, column: 1)
    }
}
