import Enforcement
import Foundation
import Reports
import Site
import Testing
import TestSupport
import Reports

/// Whatever becomes of the configuration directory, the last good generation stays in force, status
/// says why, and what comes back is taken up without any command.
@Suite("Watch faults")
struct WatchFaultTests {
    final class Scene {
        let agent: AgentFixture
        private let files = FileManager.default
        private var generation = 0
        private var rules = ""

        init(_ agent: AgentFixture) { self.agent = agent }

        var configuration: URL { agent.configurationDirectory }

        /// Expects the next generation, with this variant in force.
        func expectNext(
            _ variant: Int, timeout: Duration = patience,
            sourceLocation: Testing.SourceLocation = #_sourceLocation
        ) throws {
            generation += 1
            try agent.waitForStatus("generation \(generation)", timeout: timeout) {
                $0.generation == generation && $0.state == .inSync
            }
            rules = try agent.rulesInKernel()
            #expect(rules.contains("10.9.0.\(variant)"), sourceLocation: sourceLocation)
        }

        /// Expects that nothing is taken up and that status names a file, as long as the body runs
        /// and for a while afterwards.
        func expectWaiting(
            for name: String, sourceLocation: Testing.SourceLocation = #_sourceLocation,
            _ body: () throws -> Void = {}
        ) throws {
            try body()
            let path = configuration.appending(path: name).path
            try agent.waitForStatus("\(name) among the warnings") {
                $0.warnings.contains { $0.hasPrefix(path) }
            }
            // Longer than anything settles in.
            for _ in 0..<25 {
                usleep(100_000)
                #expect(try agent.rulesInKernel() == rules, sourceLocation: sourceLocation)
            }
            #expect(try agent.status().generation == generation, sourceLocation: sourceLocation)
            let text = try agent.control("status").standardOutput
            // Wrapped where it is long.
            #expect(
                text.filter { !$0.isWhitespace }.contains(path), "\(text)",
                sourceLocation: sourceLocation)
        }

        /// Expects that the generation is held, and that status gives a reason; or that all is well.
        func expectHeld(
            _ reason: String?, sourceLocation: Testing.SourceLocation = #_sourceLocation
        ) throws {
            try agent.waitForStatus(reason ?? "health") { status in
                guard let reason else { return status.state == .inSync }
                return status.state == .rejected
                    && status.diagnostics.contains { $0.description.contains(reason) }
            }
            #expect(try agent.status().generation == generation, sourceLocation: sourceLocation)
            #expect(try agent.rulesInKernel() == rules, sourceLocation: sourceLocation)
        }

        /// Expects that nothing goes round in circles: hardly any time used, hardly a line logged.
        func expectQuiet(sourceLocation: Testing.SourceLocation = #_sourceLocation) throws {
            let before = (try processorTime(), agent.log.count { $0 == "\n" })
            usleep(1_000_000)
            #expect(
                try processorTime() - before.0 < .milliseconds(100),
                sourceLocation: sourceLocation)
            #expect(
                agent.log.count { $0 == "\n" } - before.1 <= 2, sourceLocation: sourceLocation)
        }

        private func processorTime() throws -> Duration {
            try ProcessTree.processorTime(of: #require(agent.process).pid)
        }

        /// Whether the agent is stopped by a signal.
        func isStopped() throws -> Bool {
            try ProcessTree.status("State", of: #require(agent.process).pid).hasPrefix("T")
        }

        func move(_ source: URL, to target: URL) throws {
            try files.moveItem(at: source, to: target)
        }

        /// Another configuration directory, beside the one that is watched.
        func directory(_ name: String, _ variant: Int) throws -> URL {
            let directory = agent.directory.appending(path: name)
            try files.createDirectory(at: directory, withIntermediateDirectories: false)
            try Data(StoreFaultTests.configuration(variant).utf8).write(
                to: directory.appending(path: "10-site.yaml"))
            return directory
        }
    }

    static func scene(
        configurationDirectory: String = "pexip-fw.d",
        launcher: (NetworkNamespace) throws -> [String] = { _ in [] },
        _ body: (Scene) throws -> Void
    ) throws {
        try StoreFaultTests.withNamespace { namespace in
            let agent = try AgentFixture(
                in: namespace, configuration: StoreFaultTests.configuration(1),
                configurationDirectory: configurationDirectory)
            do {
                agent.launcher = try launcher(namespace)
                try agent.start()
                let scene = Scene(agent)
                try scene.expectNext(1)
                try body(scene)
                try agent.stop()
            } catch {
                throw TestSupportError("\(error)\nThe agent logged:\n\(agent.log)")
            }
        }
    }

    // MARK: Moved, replaced, lost

    @Test("the directory moved away and back, and replaced")
    func moved() throws {
        try Self.scene { scene in
            let away = scene.agent.directory.appending(path: "away")
            try scene.move(scene.configuration, to: away)
            try scene.expectHeld("\(scene.configuration.path) does not exist")
            try scene.expectQuiet()
            try scene.move(away, to: scene.configuration)
            try scene.expectHeld(nil)

            let other = try scene.directory("other", 2)
            try scene.move(scene.configuration, to: away)
            try scene.move(other, to: scene.configuration)
            try scene.expectNext(2)
            // The new one is watched, and no more the old one.
            try scene.agent.write(StoreFaultTests.configuration(3))
            try scene.expectNext(3)
            try Data("nodes: wrong".utf8).write(to: away.appending(path: "20.yaml"))
            try scene.agent.write(StoreFaultTests.configuration(4))
            try scene.expectNext(4)
        }
    }

    @Test("more events than the kernel keeps, with the directory replaced among those lost")
    func overflow() throws {
        try Self.scene { scene in
            let limit = try #require(
                Int(
                    try String(
                        contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8
                    ).trimmingCharacters(in: .whitespacesAndNewlines)))
            let process = try #require(scene.agent.process)
            process.signal(SIGSTOP)
            let hasStopped = try waitUntil { try scene.isStopped() }
            #expect(hasStopped)
            let names = ["a", "b"].map { scene.configuration.appending(path: ".\($0)").path }
            try Data().write(to: URL(filePath: names[0]))
            // Each makes two events, and no two alike in a row.
            for index in 0..<limit {
                #expect(rename(names[index % 2], names[1 - index % 2]) == 0)
            }
            let other = try scene.directory("other", 2)
            try scene.move(
                scene.configuration, to: scene.agent.directory.appending(path: "away"))
            try scene.move(other, to: scene.configuration)
            process.signal(SIGCONT)
            try scene.expectNext(2)
            try scene.agent.write(StoreFaultTests.configuration(3))
            try scene.expectNext(3)
        }
    }

    @Test("file systems that are mounted over the directory, and unmounted, plainly and lazily")
    func mounted() throws {
        try requireRoot()
        var mounts: MountNamespace?
        try Self.scene(launcher: { namespace in
            let new = try MountNamespace(in: namespace)
            mounts = new
            return new.entering
        }) { scene in
            let mounts = try #require(mounts)
            let path = scene.configuration.path
            func write(_ variant: Int) throws {
                try Data(StoreFaultTests.configuration(variant).utf8).write(
                    to: URL(filePath: mounts.path(path)).appending(path: "10-site.yaml"))
            }
            try mounts.mountMemory(at: path)
            try scene.expectHeld("nothing is configured")
            try scene.expectQuiet()
            try write(2)
            try scene.expectNext(2)
            try mounts.run("umount", path)
            try scene.expectNext(1)

            // In use, so that it goes on without being seen: its inodes tell nothing.
            try mounts.mountMemory(at: path)
            try write(3)
            try scene.expectNext(3)
            let user = try scene.agent.namespace.spawn(
                mounts.entering + ["sh", "-c", "cd \(path); echo in; exec sleep infinity"])
            #expect(waitUntil { user.standardOutput == "in\n" })
            try mounts.run("umount", "--lazy", path)
            try scene.expectNext(1)
            try scene.agent.write(StoreFaultTests.configuration(4))
            try scene.expectNext(4)
            user.kill()
        }
    }

    // MARK: Permissions

    @Test("permissions taken and given back: of a file, of the directory, and above it")
    func permissions() throws {
        // Root may read everything, and the agent is not to need that. Nor is it to hear of mounts
        // elsewhere, after each of which it would look again.
        let launcher = [
            "unshare", "--mount", "--propagation=private",
            "setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search",
        ]
        try Self.scene(configurationDirectory: "outer/conf", launcher: { _ in launcher }) { scene in
            let directory = scene.configuration.path
            let outer = scene.configuration.deletingLastPathComponent().path
            for (path, reason) in [
                (directory + "/10-site.yaml", "10-site.yaml:1:1: error: cannot be opened"),
                (directory, "\(directory) cannot be opened as a directory (Permission denied)"),
                (outer, "\(directory) cannot be opened as a directory (Permission denied)"),
            ] {
                #expect(chmod(path, 0) == 0)
                try scene.expectHeld(reason)
                try scene.expectQuiet()
                // An agent that starts now does no worse.
                scene.agent.kill()
                try Nft.run(in: scene.agent.namespace, "flush ruleset")
                try scene.agent.start()
                try scene.expectHeld(reason)
                #expect(chmod(path, 0o755) == 0)
                try scene.expectHeld(nil)
            }

            // Below a directory that may be passed through but not listed, nothing tells when
            // another one comes.
            #expect(chmod(outer, 0o300) == 0)
            let away = scene.agent.directory.appending(path: "away")
            try scene.move(scene.configuration, to: away)
            try scene.expectHeld("\(directory) does not exist")
            try scene.expectQuiet()
            try scene.move(away, to: scene.configuration)
            try scene.expectHeld(nil)
            try scene.agent.write(StoreFaultTests.configuration(2))
            try scene.expectNext(2)
            #expect(chmod(outer, 0o700) == 0)
        }
    }

    // MARK: Many files

    @Test("1,000 files changed at once are one apply")
    func many() throws {
        try Self.scene { scene in
            let others = 1..<1_000
            /// Every file matters: a configuration read half way would be another.
            func prepare(_ network: Int) throws -> URL {
                let directory = scene.agent.directory.appending(path: "new-\(network)")
                try FileManager.default.createDirectory(
                    at: directory, withIntermediateDirectories: false)
                for number in others {
                    let address = "10.\(network).\(number / 100).\(number % 100 * 2)"
                    try Data("groups: {g\(number): [\(address)]}\n".utf8).write(
                        to: directory.appending(path: "20-\(number).yaml"))
                }
                let groups = others.map { "\"@g\($0)\"" } + ["10.9.0.\(network)"]
                try Data(
                    """
                    nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
                    enforce: [conf-1]
                    features: {ssh: true}
                    peers: {ssh_clients: [\(groups.joined(separator: ", "))]}
                    """.utf8
                ).write(to: directory.appending(path: "10-site.yaml"))
                return directory
            }
            for network in [21, 22, 23] {
                let new = try prepare(network)
                for name in try FileManager.default.contentsOfDirectory(atPath: new.path) {
                    let target = scene.configuration.appending(path: name).path
                    #expect(rename(new.appending(path: name).path, target) == 0)
                }
                try scene.expectNext(network)
                let rules = try scene.agent.rulesInKernel()
                #expect(rules.components(separatedBy: "10.\(network).").count - 1 >= others.count)
                #expect(!rules.contains("10.\(network - 1)."))
            }
            // Nothing more came of it.
            #expect(try scene.agent.status().generation == 4)
        }
    }
}
