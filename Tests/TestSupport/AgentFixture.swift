package import Foundation
package import Reports

/// The real agent, with directories of its own, in a namespace of the test's.
package final class AgentFixture {
    package let namespace: NetworkNamespace
    package let directory: URL
    package let configurationDirectory: URL
    /// Made by the agent.
    package var stateDirectory: URL
    package var socket: String { directory.appending(path: "control").path }
    package private(set) var process: ChildProcess?
    /// What starts the agent's program, where it is not started directly: it must become it.
    package var launcher: [String] = []
    /// What its environment has beside the test's.
    package var environment: [String: String] = [:]
    /// What its command line has beside where its things are.
    package var arguments: [String] = []

    /// Makes the directories, with `configuration` as the file `10-site.yaml` where it is given.
    ///
    /// - Parameter name: of the configuration directory, below ``directory``.
    package init(
        in namespace: NetworkNamespace, configuration: String?,
        configurationDirectory name: String = "pexip-fw.d"
    ) throws {
        self.namespace = namespace
        directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        configurationDirectory = directory.appending(path: name)
        stateDirectory = directory.appending(path: "state")
        try FileManager.default.createDirectory(
            at: configurationDirectory, withIntermediateDirectories: true)
        if let configuration { try write(configuration) }
    }

    deinit {
        process?.kill()
        do {
            try FileManager.default.removeItem(at: directory)
        } catch {
            print("left behind: \(directory.path): \(error)")
        }
    }

    /// Runs the body with a started agent, and with what it logged where the body throws.
    package static func with<Success>(
        _ configuration: String?, in namespace: NetworkNamespace,
        _ body: (AgentFixture) throws -> Success
    ) throws -> Success {
        let agent = try AgentFixture(in: namespace, configuration: configuration)
        do {
            try agent.start()
            let result = try body(agent)
            try agent.stop()
            return result
        } catch {
            throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
        }
    }

    /// Puts a file into the directory as tools should: written beside it and renamed.
    package func write(_ text: String, as name: String = "10-site.yaml") throws {
        let temporary = directory.appending(path: "new-\(name)")
        try Data(text.utf8).write(to: temporary)
        // As files are that are there when an agent starts, which waits for new ones.
        try FileManager.default.setAttributes(
            [.modificationDate: Date.now - 60], ofItemAtPath: temporary.path)
        let path = configurationDirectory.appending(path: name).path
        guard rename(temporary.path, path) == 0 else {
            throw TestSupportError("rename \(path): \(String(cString: strerror(errno)))")
        }
    }

    package func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: configurationDirectory.appending(path: name))
    }

    /// Starts the agent's program, and waits for nothing.
    @discardableResult package func spawn() throws -> ChildProcess {
        let process = try namespace.spawn(
            launcher + [
                try BuiltProducts.path(of: "pexip-fwd"), "--config-dir",
                configurationDirectory.path, "--state-dir", stateDirectory.path, "--socket", socket,
            ] + arguments, environment: environment)
        self.process = process
        return process
    }

    /// Starts the agent and waits until it answers.
    package func start(timeout: Duration = patience) throws {
        let process = try spawn()
        let answers = try waitUntil(timeout: timeout) {
            guard process.isRunning else { return true }
            return try control("status").status != .exited(3)
        }
        guard answers, process.isRunning else {
            throw TestSupportError("the agent did not start: \(log)")
        }
    }

    package func stop() throws {
        guard process?.terminate() == .exited(0) else {
            throw TestSupportError("the agent did not end in order: \(log)")
        }
    }

    package func kill() {
        process?.kill()
        _ = process?.wait(timeout: .seconds(5))
    }

    package var log: String { process?.standardError ?? "" }

    /// Runs `pexip-fwctl` in the agent's namespace.
    package func control(
        _ arguments: String..., timeout: Duration = patience
    ) throws -> ProcessResult {
        try namespace.run(
            [try BuiltProducts.path(of: "pexip-fwctl"), "--socket", socket] + arguments,
            timeout: timeout)
    }

    package func status() throws -> StatusReport {
        let result = try control("status", "--json")
        do {
            return try JSONDecoder().decode(
                StatusReport.self, from: Data(result.standardOutput.utf8))
        } catch {
            throw TestSupportError("\(result): \(error)")
        }
    }

    /// Waits until the status is as wanted.
    package func waitForStatus(
        _ description: String, timeout: Duration = patience,
        _ isWanted: (StatusReport) -> Bool
    ) throws {
        var last: StatusReport?
        let came = try waitUntil(timeout: timeout) {
            last = try status()
            return last.map(isWanted) ?? false
        }
        guard came else {
            throw TestSupportError(
                "no status came with \(description), but \(String(describing: last))")
        }
    }

    /// Waits until the first rules adopt no connections any more, which is a change of the agent's own.
    package func waitForAdoptionsEnd() throws {
        let hasEnded = try waitUntil(timeout: .seconds(300)) {
            let listing = try namespace.run(["nft", "list", "ruleset"]).requireSuccess()
            return !listing.standardOutput.contains("adopt")
        }
        guard hasEnded else { throw TestSupportError("the adoption of connections does not end") }
    }

    /// The rules in the kernel as an independent observer lists them, without counters' values, and
    /// those of each chain sorted: what the agent changes comes at a chain's end. The order that
    /// decides something is the agent's own comparison to look after, and its tests'. What adopts
    /// connections, for a time, is left out.
    package func rulesInKernel() throws -> String {
        let listing = try namespace.run(["nft", "-s", "list", "ruleset"]).requireSuccess()
        var lines: [Substring] = []
        var rules: [Substring]?
        var isAdoption = false
        for line in listing.standardOutput.split(separator: "\n", omittingEmptySubsequences: false)
        {
            if line.hasPrefix("\tset adopt.tcp {") || line.hasPrefix("\tchain adopt_") {
                isAdoption = true
            }
            if isAdoption {
                // With the empty line behind it.
                if line.isEmpty || line == "}" { isAdoption = false }
                if line != "}" { continue }
            }
            if line.contains(" jump adopt_") { continue }
            if line == "\t}", let sorted = rules?.sorted() {
                lines += sorted
                rules = nil
            }
            if rules == nil { lines.append(line) } else { rules?.append(line) }
            if line.hasPrefix("\tchain ") { rules = [] }
        }
        return lines.joined(separator: "\n")
    }
}
