import Configuration
import DeploymentGenerator
import Foundation
import Logging
import Ruleset
import Site
import Testing
import TestSupport

@testable import Enforcement
@testable import Reports

/// The power fails at any moment of what the real agent writes: what the next start finds is what
/// was in force before the operation or after it, whole; and after it, once it was answered.
@Suite("Power cuts")
struct PowerCutTests {
    /// What a start makes of a state directory.
    private struct Loaded: Equatable {
        let generation: Generation?
        let standing: Standing?

        init(_ directory: URL) {
            var ledger = Ledger(
                GenerationStore(directory: directory.path),
                log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            generation = ledger.load()
            standing = ledger.standing
            problem = ledger.record.problem?.text
        }

        let problem: String?

        var description: String {
            "generation \(generation.map { "\($0.number)" } ?? "none"), \(String(describing: standing)), \(problem ?? "no problem")"
        }
    }

    /// What the agent did, and what was to be found after each command.
    private struct Recording {
        let before: DiskModel
        let trace: WriteTrace
        /// The first one was made before any command.
        let states: [Loaded]
    }

    private enum Step {
        /// Of a variant of the configuration.
        case apply(Int)
        case rollback
        case flush

        var command: String {
            switch self {
            case .apply: "apply"
            case .rollback: "rollback"
            case .flush: "flush"
            }
        }
    }

    /// The agent's parent directory is on the disk as it is; below it, `state` is its own.
    private static func record(
        _ steps: [Step], preparing prepare: (GenerationStore) throws -> Void
    ) throws -> Recording {
        try requirePrograms([("strace", "strace")])
        var recording: Recording?
        try StoreFaultTests.withNamespace { namespace in
            let agent = try AgentFixture(in: namespace, configuration: nil)
            // A directory of its own, so that nothing else is in the model.
            let disk = agent.directory.appending(path: "disk")
            let state = disk.appending(path: "state")
            try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: false)
            agent.stateDirectory = state
            try prepare(GenerationStore(directory: state.path))
            let before = try DiskModel(disk)
            let output = agent.directory.appending(path: "trace")
            agent.launcher = WriteTrace.launcher(output: output.path)
            try agent.start()
            var states = [try load(state, agent)]
            for step in steps {
                if case .apply(let variant) = step {
                    try agent.write(StoreFaultTests.configuration(variant))
                }
                let result = try agent.control(step.command)
                guard result.status == .exited(0) else { throw TestSupportError("\(result)") }
                states.append(try load(state, agent))
            }
            let pid = try #require(agent.process).pid
            try agent.stop()
            let tracer = "\(output.path).\(pid)"
            guard waitUntil({ FileManager.default.fileExists(atPath: tracer) }) else {
                throw TestSupportError("strace wrote nothing")
            }
            recording = Recording(
                before: before, trace: try WriteTrace(of: disk.path, output: output),
                states: states)
        }
        return try #require(recording)
    }

    private static func load(_ state: URL, _ agent: AgentFixture) throws -> Loaded {
        let copy = agent.directory.appending(path: "copy")
        try FileManager.default.copyItem(at: state, to: copy)
        let loaded = Loaded(copy)
        try FileManager.default.removeItem(at: copy)
        return loaded
    }

    /// Cuts after each write and before the first, and expects the state before or after the command
    /// that was being carried out.
    private static func expectWhole(_ recording: Recording) throws {
        let scratch = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: false)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: scratch) } }
        let states = recording.states
        var disk = recording.before
        var random = SeededGenerator(seed: 7)
        var replies = 0
        var tried = 0
        func cut(_ moment: String) throws {
            for image in disk.images(using: &random) {
                try image.write(to: scratch)
                let found = Loaded(scratch.appending(path: "state"))
                // The last command is answered: nothing comes after it.
                let possible = states[replies...].prefix(2)
                if !possible.contains(found) {
                    let names = image.map { "\($0.key): \($0.value.map { "\($0.count)" } ?? "/")" }
                    Issue.record(
                        "\(moment), \(replies) answered: \(found.description) in \(names.sorted())")
                }
                tried += 1
                for name in try FileManager.default.contentsOfDirectory(atPath: scratch.path) {
                    try FileManager.default.removeItem(at: scratch.appending(path: name))
                }
            }
        }
        try cut("before the first write")
        for (index, event) in recording.trace.events.enumerated() {
            try disk.apply(event)
            if case .reply = event { replies += 1 }
            try cut("after write \(index), \(event)".prefix(160).description)
        }
        #expect(replies == states.count - 1)
        #expect(tried > 10 * replies, "the trace holds what the commands wrote")
    }

    @Test("from nothing: applies, rollbacks, flushes")
    func fromNothing() throws {
        let recording = try Self.record(
            [.apply(1), .apply(2), .rollback, .apply(2), .flush, .apply(3), .flush, .rollback]
        ) { _ in }
        #expect(recording.states.first?.generation == nil)
        #expect(recording.states.map { $0.problem } == recording.states.map { _ in nil })
        try Self.expectWhole(recording)
    }

    @Test("with as many generations as are kept: applies that prune")
    func pruning() throws {
        let recording = try Self.record([.apply(1), .apply(2), .rollback]) { store in
            try store.prepare()
            for number in 1...GenerationStore.kept + 1 {
                try store.write(
                    Generation(
                        number: number, created: .now, origin: .directory,
                        configurationDigest: "", configuration: [], mode: .enforce,
                        revokesEstablished: false, nodes: [],
                        ruleset: Ruleset(tables: [])))
            }
            try store.write(
                Standing(
                    generation: GenerationStore.kept + 1, newest: GenerationStore.kept + 1))
        }
        try Self.expectWhole(recording)
    }
}
