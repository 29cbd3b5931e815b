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
    /// Whose other files it goes with; nil where it stands alone.
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
        Failure(.failure, "\(path) is there already: --force replaces it; nothing was written")
    }

    /// What the loader makes of the text, beside the other files of its directory.
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
            throw Failure(.failure, "the file would be wrong as said above; nothing was written")
        }
        return loaded
    }

    /// Writes the file whole, or not at all.
    func write(_ text: String, replacing: Bool) throws {
        guard let path else {
            guard Terminal.written(text.visibleLines) else {
                throw Failure(.failure, "standard output can't be written")
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
            throw Failure(.failure, "\(path) can't be written: \(error)")
        }
    }

    /// What was done and what comes next.
    func next(nodes: Int) -> Page {
        guard let path else { return Page() }
        var page = Page()
        let live = ConfigurationOption.defaultDirectory
        let time = StartingFile.confirmation
        var commands: [(String, String)]
        if configuration == live {
            page.add(
                "wrote \(path), with \(nodes.counted("node")): the agent takes it up at once, and takes it back in \(time) unless that is confirmed"
            )
            commands = [
                ("pexip-fwctl check", "is it right"), ("pexip-fwctl status", "is it in force"),
            ]
        } else {
            page.add(
                "wrote \(path), with \(nodes.counted("node")); nothing is enforced by it yet")
            commands = []
            if let configuration {
                commands = [
                    ("pexip-fwctl check \(configuration)", "is it right"),
                    ("pexip-fwctl plan --config-dir \(configuration)", "what it would change"),
                ]
            }
            // What is not root's own, the agent refuses.
            let move = geteuid() == 0 ? "mv" : "sudo install -m 644"
            commands.append(("\(move) \(path) \(live)/", "enforced at once, for \(time)"))
        }
        commands.append(
            (geteuid() == 0 ? "pexip-fwctl confirm" : "sudo pexip-fwctl confirm", "to keep it"))
        let width = (commands.map(\.0.count).max() ?? 0) + 2
        page.add("next:")
        for (command, purpose) in commands {
            page.add(Text(purpose), label: Text(command, .strong), labelWidth: width, indent: 2)
        }
        return page
    }
}
