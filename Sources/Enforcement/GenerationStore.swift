internal import Glibc
internal import JSONValue
package import LinuxSystem
internal import Policy
package import Reports
internal import SystemPackage

/// Something the state directory could not do.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Names the file or directory, and says what to do about it where that is known.
    package let description: String

    init(_ description: String) { self.description = description }
}

/// The generations in the state directory.
///
/// Every file is written beside its place, flushed and renamed, so a power cut leaves the old or
/// the new one whole; a first line with the SHA-256 of the rest tells when a disk did not keep it.
/// Only what is about to be put in force is flushed later (``stage(_:)``).
package struct GenerationStore: Sendable {
    /// How many generations are kept beside the one in force.
    package static let kept = 20
    /// Far above any deployment's size: a damaged file must not be read without end.
    private static let largestFile = 256 << 20
    /// Values in a file: twice the ranges of addresses that a configuration expands to at most.
    private static let mostValues = 4_000_000
    /// Ranges in the lists of rows that are stored: a version that knows no rows counts them as values
    /// beside those of the rules. Rows with more are derived again.
    private static let mostStoredRanges = 500_000
    /// Bytes of a complaint about a file, which may quote it.
    private static let longestComplaint = 500

    /// The state directory, as it is named in messages.
    package let directory: String
    /// Taken before anything is written; nil for a caller that is known to be alone.
    private let lock: FileLock?
    /// The users whose files are believed: root, this process's own, and perhaps the agent's.
    private let trusted: Set<UInt32>
    private var generations: String { directory + "/generations" }
    private var standingPath: String { directory + "/standing.json" }

    /// Touches nothing: generations can be read from a directory that can't be written.
    package init(directory: String, lock: FileLock? = nil) {
        self.directory = directory
        self.lock = lock
        trusted = FileFacts.trusted
    }

    /// Of an agent that may be another user's, whose files are believed; only to read.
    ///
    /// - Throws: where the directory is there and is not to be trusted or can't be read.
    package init(ofAgentAt directory: String) throws(StoreError) {
        self.directory = directory
        lock = nil
        do throws(OpenedFile.Problem) {
            trusted = FileFacts.trusted.union([try OpenedFile(directory: directory).facts.owner])
        } catch {
            switch error {
            case .distrusted(let words): throw Self.cannotTrust(words)
            case .failed(let error) where error.errno == .noSuchFileOrDirectory:
                trusted = FileFacts.trusted
            case .failed(let error): throw StoreError("can't read the state: \(error)")
            }
        }
    }

    /// The path of the file by which an agent has a state directory for itself.
    package static func lock(in directory: String) -> String { directory + "/agent.lock" }

    /// Makes the directories where they are missing (``makeDirectory(_:)``), and removes what a
    /// process left behind that was killed while it wrote.
    ///
    /// - Throws: where nothing could be stored.
    package func prepare() throws(StoreError) {
        try makeDirectories()
        for path in [directory, generations] where access(path, W_OK | X_OK) != 0 {
            throw Self.cannotWrite(path, Errno(rawValue: errno))
        }
        for parent in [generations, directory] {
            for name in try names(in: parent) where name.hasSuffix(".tmp") {
                unlink("\(parent)/\(name)")
            }
        }
    }

    private func makeDirectories() throws(StoreError) {
        do throws(SystemError) {
            try Self.makeDirectory(directory)
        } catch {
            throw Self.cannotWrite(directory, error.errno)
        }
        try requireTrust(directory)
        try takeLock()
        do throws(SystemError) {
            try Self.makeDirectory(generations)
        } catch {
            throw Self.cannotWrite(generations, error.errno)
        }
        try requireTrust(generations)
    }

    /// Makes a directory of the state where it is missing; its group may read it, the owner alone
    /// writes.
    ///
    /// - Throws: where it can't be made.
    package static func makeDirectory(_ path: String) throws(SystemError) {
        try AtomicFile.makeDirectory(
            path, mode: [.ownerReadWriteExecute, .groupRead, .groupExecute])
    }

    /// Makes sure that nobody else writes there.
    private func takeLock() throws(StoreError) {
        guard let lock else { return }
        let holder: FileLock.Holder?
        do throws(SystemError) {
            holder = try lock.take()
        } catch {
            throw Self.cannotWrite(lock.path, error.errno)
        }
        guard let holder else { return }
        let who = holder.pid.map { "\(ProcessIdentity(pid: $0))" } ?? "another process"
        throw StoreError(
            "can't write the state directory \(directory): it is that of \(who) (stop one of the two)"
        )
    }

    /// A file that others could write there would be in force after the next start.
    private func requireTrust(_ path: String) throws(StoreError) {
        do throws(OpenedFile.Problem) {
            if let distrust = try OpenedFile(directory: path).facts.distrustOfEntries {
                throw OpenedFile.Problem.distrusted("\(path) \(distrust.words(at: path))")
            }
        } catch {
            switch error {
            case .distrusted(let words): throw Self.cannotTrust(words)
            case .failed(let error): throw Self.cannotWrite(path, error.errno)
            }
        }
    }

    private static func cannotTrust(_ words: String) -> StoreError {
        StoreError("can't trust the state directory: \(words)")
    }

    private static func cannotWrite(_ path: String, _ reason: Errno) -> StoreError {
        StoreError("can't write the state directory \(path): \(reason)\(advice(reason))")
    }

    /// A remedy in words that follow the error; empty where none is known.
    private static func advice(_ reason: Errno) -> String {
        switch reason {
        case .noSpace, .diskQuotaExceeded: " (make room there)"
        case .readOnlyFileSystem: " (mount it writable)"
        case .permissionDenied, .notPermitted: " (let the agent write there)"
        default: ""
        }
    }

    // MARK: Which one is in force

    /// nil in a state directory that never held a generation.
    ///
    /// - Throws: where the record can't be read or is not what was written.
    package func standing() throws(StoreError) -> Standing? {
        try read(Standing.self, from: standingPath)
    }

    /// Replaces the record, and returns once it outlasts a power cut.
    ///
    /// - Throws: where it can't be written; the old record or the new one is there whole.
    package func write(_ standing: Standing) throws(StoreError) {
        try write(standing, to: standingPath)
    }

    // MARK: Generations

    /// The numbers of all stored generations, readable or not, ascending.
    ///
    /// - Throws: where the directory can't be listed.
    package func numbers() throws(StoreError) -> [Int] {
        try names(in: generations).compactMap { name in
            guard let number = Int(name.dropLast(5)), Generation.numbers.contains(number),
                name == "\(number).json"
            else { return nil }
            return number
        }.sorted()
    }

    /// - Throws: when the file is missing or is not what was written.
    package func generation(_ number: Int) throws(StoreError) -> Generation {
        guard let generation = try read(Generation.self, from: path(number)) else {
            throw StoreError("generation \(number) is not in \(directory)")
        }
        guard generation.number == number else {
            throw StoreError("\(path(number)) is damaged: it holds generation \(generation.number)")
        }
        return generation
    }

    /// The entry of a generation in lists, without reading all of it, which may be much.
    ///
    /// - Throws: as ``generation(_:)``.
    package func summary(_ number: Int) throws(StoreError) -> GenerationSummary {
        do throws(StoreError) {
            if let summary = try read(GenerationSummary.self, from: summaryPath(number)),
                summary.number == number
            {
                return summary
            }
        } catch {
            // It is not flushed, and repeats what the generation's own file says.
        }
        return GenerationSummary(try generation(number))
    }

    /// Stores a generation, and returns once it outlasts a power cut. Its summary stays as it is.
    ///
    /// - Throws: where it can't be written; a file of the same number is the old one or the new
    ///   one.
    package func write(_ generation: Generation) throws(StoreError) {
        try write(generation, flushing: true)
    }

    private func write(_ generation: Generation, flushing: Bool) throws(StoreError) {
        var stored = generation
        if let rows = stored.rows, rows.listedRanges > Self.mostStoredRanges { stored.rows = nil }
        try write(stored, to: path(generation.number), flushing: flushing)
    }

    /// Writes a generation so that a kill does not lose it; until it is flushed, a power cut may.
    ///
    /// For what goes into the kernel next, which a power cut takes as well: enforcement does not
    /// wait for a disk.
    ///
    /// - Throws: where it can't be written; the generation may be there without its summary.
    package func stage(_ generation: Generation) throws(StoreError) {
        try write(generation, flushing: false)
        try write(
            GenerationSummary(generation), to: summaryPath(generation.number), flushing: false)
    }

    /// Makes a staged generation outlast a power cut.
    ///
    /// - Throws: where it can't be flushed; it may still be there.
    package func flush(_ number: Int) throws(StoreError) {
        do throws(SystemError) {
            try AtomicFile.flush(path(number))
        } catch {
            throw Self.cannotWrite(error)
        }
    }

    /// Removes a generation and its summary; of one that is not there, nothing.
    ///
    /// - Throws: where a file can't be removed.
    package func remove(_ number: Int) throws(StoreError) {
        for path in [path(number), summaryPath(number)] where unlink(path) != 0 && errno != ENOENT {
            throw StoreError("can't remove \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Removes the oldest generations beyond ``kept``, never those in force or to fall back to.
    ///
    /// - Throws: the first failure; the generations after it are removed nevertheless.
    package func prune(keeping needed: Set<Int>) throws(StoreError) {
        var failure: StoreError?
        for number in try numbers().dropLast(Self.kept + 1) where !needed.contains(number) {
            do throws(StoreError) {
                try remove(number)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Whether a generation's file is there as it was written.
    package func isWhole(_ number: Int) -> Bool {
        do throws(StoreError) {
            return try body(of: path(number)) != nil
        } catch {
            return false
        }
    }

    // MARK: Files

    private func path(_ number: Int) -> String { "\(generations)/\(number).json" }
    private func summaryPath(_ number: Int) -> String {
        "\(generations)/\(number).summary.json"
    }

    private func names(in path: String) throws(StoreError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw StoreError("can't list \(path): \(String(cString: strerror(errno)))")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                        String(cString: $0)
                    }
                })
        }
        guard errno == 0 else {
            throw StoreError("can't list \(path): \(String(cString: strerror(errno)))")
        }
        return names
    }

    private static func cannotWrite(_ error: SystemError) -> StoreError {
        StoreError("can't write the state: \(error)\(advice(error.errno))")
    }

    /// A value that could not be read back is not written.
    private func write(
        _ value: some StoredState, to path: String, flushing: Bool = true
    ) throws(StoreError) {
        do throws(StoredFault) {
            try value.validate()
        } catch {
            throw StoreError("can't write the state: \(Self.excerpt(error))")
        }
        // Somebody may have taken them away.
        try makeDirectories()
        do {
            let body = try JSONValue(encoding: value).indented
            guard body.count < Self.largestFile - 100 else {
                throw StoreError(
                    "can't write the state: \(path) would be larger than \(Self.largestFile >> 20) MiB"
                )
            }
            let header = "sha256 \(SHA256Digest(of: [body]).hexadecimal)\n"
            let bytes = Array(header.utf8) + body
            if flushing {
                try AtomicFile.write(bytes, to: path)
            } else {
                try AtomicFile.replace(bytes, at: path, mode: [.ownerReadWrite, .groupRead])
            }
        } catch let error as SystemError {
            throw Self.cannotWrite(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError("can't write the state: \(error)")
        }
    }

    private func read<Value: StoredState>(
        _ type: Value.Type, from path: String
    ) throws(StoreError) -> Value? {
        guard let body = try body(of: path) else { return nil }
        let value: Value
        do {
            value = try JSONValue(parsing: body, maximumValues: Self.mostValues).decoded(as: type)
        } catch {
            throw StoreError("\(path) is not of this version: \(Self.excerpt(error))")
        }
        do throws(StoredFault) {
            try value.validate()
        } catch {
            throw StoreError("\(path) holds what is never stored: \(Self.excerpt(error))")
        }
        return value
    }

    private static func excerpt(_ error: some Error) -> String {
        "\(error)".shortened(to: longestComplaint)
    }

    /// The bytes that were written to a file, if its digest says so; nil where there is none.
    private func body(of path: String) throws(StoreError) -> [UInt8]? {
        let bytes: [UInt8]
        let distrust: Distrust?
        do throws(SystemError) {
            let file = try OwnedDescriptor(opening: path, .readOnly, options: .nonBlocking)
            bytes = try AtomicFile.read(file, path, limit: Self.largestFile)
            distrust = try FileFacts(of: file.descriptor, subject: path)
                .distrust(trusting: trusted)
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw StoreError("can't read the state: \(error)")
        }
        if let distrust { throw StoreError("\(path) \(distrust.words(at: path))") }
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            throw StoreError("\(path) is damaged: its first line is missing")
        }
        let body = Array(bytes[(end + 1)...])
        let header = String(decoding: bytes[..<end], as: UTF8.self)
        guard header == "sha256 \(SHA256Digest(of: [body]).hexadecimal)" else {
            throw StoreError("\(path) is damaged: its content is not what its first line says")
        }
        return body
    }
}
