import Authoring
import Configuration
import Display
import Enforcement
import Glibc
import LinuxSystem
import PlainText
import Reports
import Site
import SystemPackage

/// Where `init` writes to.
struct Draft {
    /// Not the agent's, which would enforce it at once.
    static let directory = "pexip-fw.d"

    /// nil for standard output.
    private let path: String?
    /// The configuration directory that it is a file of; nil where it stands alone.
    private let configuration: String?

    /// - Parameters:
    ///   - output: a file, or `-`.
    ///   - directory: a directory of the configuration; a draft's where neither is named.
    init(output: String?, directory: String?) {
        guard let output else {
            let directory = ConfigurationDirectory(directory ?? Self.directory).path
            configuration = directory
            path = "\(directory)/\(StartingFile.name)"
            return
        }
        path = output == "-" ? nil : output
        configuration =
            FilePath(output).removingLastComponent().string
                == ConfigurationOption.defaultDirectory
            ? ConfigurationOption.defaultDirectory : nil
    }

    var isStandardOutput: Bool { path == nil }

    func requireAbsence() throws {
        guard let path else { return }
        var status = stat()
        guard lstat(path, &status) != 0 else { throw Self.isThere(path) }
    }

    private static func isThere(_ path: String) -> Failure {
        Failure(.failure, FileProblem.exists(path).words)
    }

    /// The text as the loader reads it, beside the other files of its directory.
    ///
    /// - Throws: where it is wrong, which is said.
    func loaded(_ text: String) throws -> LoadedConfiguration {
        let own = ConfigurationSource(path: path ?? StartingFile.name, text: text)
        let loaded =
            if let configuration, access(configuration, F_OK) == 0 {
                ConfigurationDirectory(configuration).load(with: own)
            } else {
                LoadedConfiguration(parsing: [own])
            }
        guard !loaded.hasErrors else {
            Terminal.complain(loaded.diagnostics)
            throw Failure(.failure, FileProblem.wrongDraft.words)
        }
        return loaded
    }

    /// Writes the file whole, or not at all.
    func write(_ text: String, replacing: Bool) throws {
        guard let path else {
            guard Terminal.written(text.visibleLines) else {
                throw Failure(.failure, FileProblem.standardOutput.words)
            }
            return
        }
        // An interrupt comes before the file or after it.
        signal(SIGINT, SIG_IGN)
        do throws(SystemError) {
            if let configuration {
                try AtomicFile.makeDirectory(
                    configuration,
                    mode: [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute])
            }
            try OutputPath.write(
                Array(text.utf8), to: path, mode: [.ownerReadWrite, .groupRead, .otherRead],
                replacing: replacing)
        } catch {
            if error.errno == .fileExists { throw Self.isThere(path) }
            throw Failure(.failure, FileProblem.draft(path, reason: "\(error)").words)
        }
    }

    /// A page on what was done and what comes next.
    func next(nodes: Int) -> Page {
        guard let path else { return Page() }
        return WrittenDraft(
            path: path, configuration: configuration, live: ConfigurationOption.defaultDirectory,
            nodes: nodes, time: StartingFile.confirmation, isRoots: geteuid() == 0
        ).page
    }
}
