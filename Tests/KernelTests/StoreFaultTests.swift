import DeploymentGenerator
import Enforcement
import Foundation
import Reports
import Site
import Testing
import TestSupport
import Reports

/// Whatever becomes of the state directory, the kernel holds the last good generation, somebody is
/// told, and what can be healed is.
@Suite("Store faults")
struct StoreFaultTests {
    /// Configurations that differ in who may use SSH.
    static func configuration(_ variant: Int) -> String {
        """
        nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
        enforce: [conf-1]
        features: {ssh: true}
        peers: {ssh_clients: [10.9.0.\(variant)]}

        """
    }

    static func withNamespace(_ body: (NetworkNamespace) throws -> Void) throws {
        try requireRoot()
        try NetworkNamespace.with { namespace in
            try namespace.configure(["address add 10.0.0.21/32 dev lo"])
            try body(namespace)
        }
    }

    private static func expect(
        _ agent: AgentFixture, holds generation: Int, _ rules: String,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) throws {
        #expect(try agent.status().generation == generation, sourceLocation: sourceLocation)
        #expect(try agent.rulesInKernel() == rules, sourceLocation: sourceLocation)
    }

    // MARK: What can't be written

    @Test("no space, then a read-only file system: nothing changes, and it heals by itself")
    func unwritable() throws {
        try Self.withNamespace { namespace in
            let mounts = try MountNamespace(in: namespace)
            let agent = try AgentFixture(in: namespace, configuration: Self.configuration(1))
            let state = agent.stateDirectory.path
            try FileManager.default.createDirectory(
                atPath: state, withIntermediateDirectories: false)
            try mounts.mountMemory(at: state)
            agent.launcher = mounts.entering
            try agent.start()
            try agent.write(Self.configuration(2))
            try agent.waitForStatus("generation 2") { $0.generation == 2 }

            // No space.
            var rules = try agent.rulesInKernel()
            let filler = "\(mounts.path(state))/filler"
            let fill = try ChildProcess.run(["dd", "if=/dev/zero", "of=\(filler)", "bs=4k"])
            #expect(fill.standardError.contains("No space left on device"))
            try agent.write(Self.configuration(3))
            try agent.waitForStatus("no space") {
                $0.state == .degraded
                    && $0.problem?.contains("No space left on device (make room there)") == true
            }
            for command in ["apply", "rollback", "flush"] {
                let result = try agent.control(command)
                #expect(result.status == .exited(1))
                #expect(result.standardError.contains("No space left on device (make room there)"))
                try Self.expect(agent, holds: 2, rules)
                #expect(try agent.status().state == .degraded)
            }
            try FileManager.default.removeItem(atPath: filler)
            try agent.waitForStatus("the space used") { $0.generation == 3 && $0.state == .inSync }

            // Where nothing is to be applied, somebody is told all the same, until there is space.
            rules = try agent.rulesInKernel()
            _ = try ChildProcess.run(["dd", "if=/dev/zero", "of=\(filler)", "bs=4k"])
            #expect(try agent.control("rollback").status == .exited(1))
            try Self.expect(agent, holds: 3, rules)
            #expect(try agent.status().state == .degraded)
            try FileManager.default.removeItem(atPath: filler)
            try agent.waitForStatus("health") { $0.state == .inSync }
            #expect(try agent.status().problem == nil)

            // Read-only while the agent runs, and at its start.
            try mounts.setReadOnly(true, state)
            try agent.write(Self.configuration(4))
            let words = "Read-only file system (mount it writable)"
            try agent.waitForStatus("read-only") {
                $0.state == .degraded && $0.problem?.contains(words) == true
            }
            try Self.expect(agent, holds: 3, rules)
            for change in [true, false] {
                agent.kill()
                if !change { try agent.write(Self.configuration(3)) }
                try Nft.run(in: namespace, "flush ruleset")
                try agent.start()
                try Self.expect(agent, holds: 3, rules)
                let status = try agent.status()
                #expect(status.state == .degraded)
                #expect(status.problem?.contains(words) == true)
            }
            #expect(try agent.control("rollback").standardError.contains(words))
            try Self.expect(agent, holds: 3, rules)
            try mounts.setReadOnly(false, state)
            try agent.waitForStatus("health") { $0.state == .inSync }
            try Self.expect(agent, holds: 3, rules)
            try agent.write(Self.configuration(4))
            try agent.waitForStatus("generation 4") { $0.generation == 4 && $0.state == .inSync }
            try agent.stop()
        }
    }

    @Test("what is taken away while the agent runs is written anew by the next apply")
    func takenAway() throws {
        try Self.withNamespace { namespace in
            try AgentFixture.with(Self.configuration(1), in: namespace) { agent in
                try agent.write(Self.configuration(2))
                try agent.waitForStatus("generation 2") { $0.generation == 2 }
                let files = FileManager.default
                for name in ["generations/2.json", "standing.json", "generations", ""] {
                    let rules = try agent.rulesInKernel()
                    try files.removeItem(at: agent.stateDirectory.appending(path: name))
                    // An apply of the same, and a kill: the next start finds it.
                    let apply = try agent.control("apply")
                    #expect(apply.status == .exited(0), "\(apply)")
                    try Self.expect(agent, holds: 2, rules)
                    agent.kill()
                    try Nft.run(in: namespace, "flush ruleset")
                    try agent.write("nodes: wrong")
                    try agent.start()
                    try Self.expect(agent, holds: 2, rules)
                    try agent.write(Self.configuration(2))
                    try agent.waitForStatus("in sync") { $0.state == .inSync }
                }
                try files.removeItem(at: agent.stateDirectory)
                try agent.write(Self.configuration(3))
                try agent.waitForStatus("generation 3") {
                    $0.generation == 3 && $0.state == .inSync
                }
                let rollback = try agent.control("rollback", "1")
                #expect(rollback.standardError.contains("generation 1 is not in"))
                #expect(try agent.status().generation == 3)
            }
        }
    }

    @Test("where others could write, nothing is stored or believed, and nothing changes")
    func writableByOthers() throws {
        try Self.withNamespace { namespace in
            try AgentFixture.with(Self.configuration(1), in: namespace) { agent in
                let state = agent.stateDirectory.path
                let generations = "\(state)/generations"
                var number = 1
                for path in [state, generations] {
                    let rules = try agent.rulesInKernel()
                    try ChildProcess.run(["setfacl", "-m", "u:1234:rwx", path]).requireSuccess()
                    try agent.write(Self.configuration(number + 1))
                    try agent.waitForStatus("distrust") {
                        $0.state == .degraded
                            && $0.problem?.contains(
                                "can't trust the state directory: \(path) can be written by user 1234, by its access control list: run setfacl -b \(path)"
                            ) == true
                    }
                    try Self.expect(agent, holds: number, rules)
                    // What it wrote itself is still its own, also for an agent that starts now.
                    agent.kill()
                    try Nft.run(in: namespace, "flush ruleset")
                    try agent.start()
                    try Self.expect(agent, holds: number, rules)
                    try ChildProcess.run(["setfacl", "-b", path]).requireSuccess()
                    number += 1
                    try agent.waitForStatus("the next generation") {
                        $0.generation == number && $0.state == .inSync
                    }
                }
            }
        }
    }

    // MARK: What was damaged

    /// A state directory in which generations 1 to 3 were in force, and what each put in the kernel.
    private final class Scene {
        let namespace: NetworkNamespace
        let agent: AgentFixture
        private(set) var rules: [Int: String] = [:]
        private let pristine: URL
        private let files = FileManager.default

        init(_ namespace: NetworkNamespace) throws {
            self.namespace = namespace
            agent = try AgentFixture(in: namespace, configuration: nil)
            pristine = agent.directory.appending(path: "pristine")
            try agent.start()
            for number in 1...3 {
                try agent.write(StoreFaultTests.configuration(number))
                try agent.waitForStatus("generation \(number)") { $0.generation == number }
                rules[number] = try agent.rulesInKernel()
            }
            try agent.stop()
            try files.copyItem(at: agent.stateDirectory, to: pristine)
            // So that the start takes up nothing but what is stored.
            try agent.write("nodes: wrong")
        }

        /// Starts the agent on the pristine directory as the body left it, and an empty kernel.
        func start(_ damage: (URL) throws -> Void) throws {
            agent.kill()
            try files.removeItem(at: agent.stateDirectory)
            try files.copyItem(at: pristine, to: agent.stateDirectory)
            try damage(agent.stateDirectory)
            try Nft.run(in: namespace, "flush ruleset")
            try agent.start()
        }
    }

    /// Ways to make a file what was not stored.
    private static var damages: [(name: String, damage: (URL) throws -> Void)] {
        var damages: [(String, (URL) throws -> Void)] = []
        func change(_ name: String, _ body: @escaping (inout Data) -> Void) {
            damages.append(
                (
                    name,
                    { file in
                        var data = try Data(contentsOf: file)
                        body(&data)
                        try data.write(to: file)
                    }
                ))
        }
        func replace(_ name: String, _ body: @escaping (URL) throws -> Bool) {
            damages.append(
                (
                    name,
                    { file in
                        try FileManager.default.removeItem(at: file)
                        guard try body(file) else {
                            throw TestSupportError("\(name)", errorNumber: errno)
                        }
                    }
                ))
        }
        change("empty") { $0 = Data() }
        change("cut after its first line") { $0 = $0.prefix(72) }
        change("cut by half") { $0 = $0.prefix($0.count / 2) }
        change("cut by one byte") { $0 = $0.dropLast() }
        change("zeros at the end") { data in
            data.replaceSubrange((data.count - 20)..., with: Data(count: 20))
        }
        var random = SeededGenerator(seed: 11)
        for part in 0..<3 {
            let bit = UInt8.random(in: 0..<8, using: &random)
            let place = Double.random(in: 0..<1, using: &random)
            change("bit \(bit) flipped in part \(part)") { data in
                let index = Int((Double(part) + place) / 3 * Double(data.count))
                data[index] ^= 1 << bit
            }
        }
        replace("gone") { _ in true }
        replace("a directory") { mkdir($0.path, 0o700) == 0 }
        replace("a FIFO") { mkfifo($0.path, 0o600) == 0 }
        replace("a symlink to nothing") { symlink("nothing", $0.path) == 0 }
        replace("a symlink to an endless file") { symlink("/dev/zero", $0.path) == 0 }
        replace("an empty file of a terabyte") { file in
            try Data().write(to: file)
            return truncate(file.path, 1 << 40) == 0
        }
        return damages
    }

    @Test("a damaged generation is noticed and told, and the newest older one used")
    func damagedGeneration() throws {
        try Self.withNamespace { namespace in
            let scene = try Scene(namespace)
            for (name, damage) in Self.damages {
                try scene.start { try damage($0.appending(path: "generations/3.json")) }
                try Self.expect(scene.agent, holds: 2, try #require(scene.rules[2]))
                let status = try scene.agent.status()
                #expect(status.state == .degraded, "\(name)")
                #expect(
                    status.problem?.contains("generations/3.json") == true
                        || status.problem?.contains("generation 3 is not in") == true, "\(name)")
            }
            // Another generation in its place is not it.
            try scene.start { state in
                let file = state.appending(path: "generations/3.json")
                try FileManager.default.removeItem(at: file)
                #expect(symlink("2.json", file.path) == 0)
            }
            try Self.expect(scene.agent, holds: 2, try #require(scene.rules[2]))

            // Of those that are not in force, nothing is noticed until they are to be.
            try scene.start { state in
                try Self.damages[2].damage(state.appending(path: "generations/2.json"))
            }
            try Self.expect(scene.agent, holds: 3, try #require(scene.rules[3]))
            let refused = try scene.agent.control("rollback", "2")
            #expect(refused.status == .exited(1))
            #expect(refused.standardError.contains("generations/2.json is damaged"))
            try Self.expect(scene.agent, holds: 3, try #require(scene.rules[3]))
            #expect(try scene.agent.control("rollback").status == .exited(0))
            try Self.expect(scene.agent, holds: 1, try #require(scene.rules[1]))

            // None is left: nothing is in force, somebody is told, and the next one gets in force.
            try scene.start { state in
                for number in 1...3 {
                    try Self.damages[number].damage(
                        state.appending(path: "generations/\(number).json"))
                }
            }
            #expect(try scene.agent.status().state == .degraded)
            #expect(try scene.agent.rulesInKernel() == "")
            try scene.agent.write(Self.configuration(3))
            try scene.agent.waitForStatus("generation 4") {
                $0.generation == 4 && $0.state == .inSync
            }
            try scene.agent.stop()
        }
    }

    @Test("a damaged record is noticed and told, and the newest generation used")
    func damagedRecord() throws {
        try Self.withNamespace { namespace in
            let scene = try Scene(namespace)
            for (name, damage) in Self.damages {
                try scene.start { try damage($0.appending(path: "standing.json")) }
                try Self.expect(scene.agent, holds: 3, try #require(scene.rules[3]))
                let status = try scene.agent.status()
                #expect(status.state == .degraded, "\(name)")
                #expect(status.problem != nil, "\(name)")
            }
            try scene.agent.write(Self.configuration(3))
            // A file that is a terabyte long, or a FIFO, is replaced like any other.
            try scene.agent.waitForStatus("health") { $0.state == .inSync }
            try Self.expect(scene.agent, holds: 3, try #require(scene.rules[3]))
            try scene.agent.stop()
        }
    }

    // MARK: What somebody else wrote

    /// Rewrites a stored file, with a digest that says that it is as it was written.
    private static func forge(_ file: URL, _ change: (String) -> String) throws {
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let body = change(text.split(separator: "\n", maxSplits: 1).last.map(String.init) ?? "")
        #expect(!text.hasSuffix(body), "nothing was forged")
        let header = "sha256 \(SHA256Digest(of: body).hexadecimal)\n"
        try Data((header + body).utf8).write(to: file)
    }

    @Test("a forged generation is never in force, and what it would end ends nothing")
    func forgedGeneration() throws {
        try Self.withNamespace { namespace in
            let scene = try Scene(namespace)
            let highest = "\(Int.max)"
            let forgeries: [(name: String, file: String, change: (String) -> String)] = [
                (
                    "a chain that jumps to itself", "generations/3.json",
                    { $0.replacing("\"icmp type 3 ", with: "\"jump icmp_v4\", \"icmp type 3 ") }
                ),
                (
                    "a jump to nowhere", "generations/3.json",
                    { $0.replacing(" jump input_tcp ", with: " jump nowhere ") }
                ),
                (
                    "a set that there is not", "generations/3.json",
                    { $0.replacing("@peers.ssh_clients", with: "@peers.nobody") }
                ),
                (
                    "a number that can't be counted on from", "standing.json",
                    { $0.replacing("\"newest\": 3", with: "\"newest\": \(highest)") }
                ),
            ]
            for (name, file, change) in forgeries {
                try scene.start { try Self.forge($0.appending(path: file), change) }
                let number = file == "standing.json" ? 3 : 2
                try Self.expect(scene.agent, holds: number, try #require(scene.rules[number]))
                #expect(try scene.agent.status().state == .degraded, "\(name)")
                let explained = try scene.agent.control("explain", "icmp", "10.9.0.2", "10.0.0.21")
                #expect(
                    explained.standardOutput.hasPrefix("verdict     drop"), "\(name): \(explained)")
                try scene.agent.write(Self.configuration(3))
                try scene.agent.waitForStatus("the next one: \(name)") {
                    $0.generation == (number == 3 ? 3 : 4) && $0.state == .inSync
                }
                try scene.agent.write("nodes: wrong")
            }
            try scene.agent.stop()
        }
    }

    @Test("where the kernel refuses a generation, a boot and a start put the next older in force")
    func refusedGeneration() throws {
        try Self.withNamespace { namespace in
            let scene = try Scene(namespace)
            // Sound by all that is known here; nft says that the two protocols are in conflict.
            try scene.start { state in
                try Self.forge(state.appending(path: "generations/3.json")) {
                    $0.replacing(
                        "\"counter name \\\"drop.out",
                        with: "\"icmp type 8 ip6 hoplimit 255 drop\", \"counter name \\\"drop.out")
                }
            }
            let refusal = "the kernel refuses generation 3: "
            for isBoot in [false, true] {
                if isBoot {
                    scene.agent.kill()
                    try Nft.run(in: namespace, "flush ruleset")
                    let restored = try namespace.run([
                        try BuiltProducts.path(of: "pexip-fwd"), "restore", "--state-dir",
                        scene.agent.stateDirectory.path,
                    ]).requireSuccess()
                    #expect(
                        restored.standardError.contains(
                            "restored generation 2 in place of 3, which the kernel refuses: "))
                    #expect(try scene.agent.rulesInKernel() == scene.rules[2])
                    try scene.agent.start()
                }
                try Self.expect(scene.agent, holds: 2, try #require(scene.rules[2]))
                let status = try scene.agent.status()
                #expect(status.state == .degraded)
                #expect(status.problem?.contains(refusal) == true)
            }
            try scene.agent.write(Self.configuration(3))
            try scene.agent.waitForStatus("health") { $0.generation == 4 && $0.state == .inSync }
            #expect(try scene.agent.control("apply").status == .exited(0))
            #expect(try scene.agent.status().problem == nil)
            try scene.agent.stop()
        }
    }

    // MARK: What another version made

    /// An earlier version took a missing value for any.
    @Test("a generation whose files are refused now is in force as before, and reports say why not")
    func refusedFiles() throws {
        try Self.withNamespace { namespace in
            let missing = "peers: {ssh_clients: }"
            let site = """
                nodes: {conf-1: {role: conferencing, address: 10.0.0.21}}
                features: {ssh: true}
                peers: {ssh_clients: any}

                """
            let old = site.replacing("peers: {ssh_clients: any}", with: missing)
            try AgentFixture.with(site, in: namespace) { agent in
                let rules = try agent.rulesInKernel()
                try agent.stop()
                try Self.forge(agent.stateDirectory.appending(path: "generations/1.json")) {
                    $0.replacing("peers: {ssh_clients: any}", with: missing)
                }
                try agent.write(old)
                for isKernelEmpty in [false, true] {
                    if isKernelEmpty { try Nft.run(in: namespace, "flush ruleset") }
                    try agent.start()
                    try Self.expect(agent, holds: 1, rules)
                    let status = try agent.status()
                    #expect(status.state == .rejected)
                    #expect(
                        status.diagnostics.contains {
                            $0.location?.line == 3
                                && $0.message.contains("peers.ssh_clients must be any or a list")
                        }, "\(status.diagnostics)")
                    if !isKernelEmpty { try agent.stop() }
                }
                let reason =
                    "generation 1 was made by another version, and this one refuses its files"
                let state = agent.stateDirectory.path
                for command in [
                    ["show", "ports"], ["mesh"], ["report", "--in-force", "--state-dir", state],
                ] {
                    let result = try namespace.run(
                        [try BuiltProducts.path(of: "pexip-fwctl")] + command
                            + ["--socket", agent.socket])
                    #expect(result.status == .exited(1), "\(result)")
                    #expect(result.standardError.contains(reason), "\(result)")
                }
                let explanation = try agent.control("explain", "tcp", "192.0.2.7", "10.0.0.21:8443")
                #expect(explanation.status == .exited(2))
                #expect(
                    explanation.standardOutput.contains("unknown     rows whose feature is off"),
                    "\(explanation)")
                #expect(explanation.standardOutput.contains(reason))

                // Corrected files that mean the same are no other generation, and tell all again.
                try agent.write(site + "# corrected\n")
                try agent.waitForStatus("health") { $0.state == .inSync }
                try Self.expect(agent, holds: 1, rules)
                #expect(try agent.control("show", "ports").status == .exited(0))
                agent.kill()
                try agent.start()
                try Self.expect(agent, holds: 1, rules)
                #expect(try agent.control("show", "ports").status == .exited(0))
            }
        }
    }

    // MARK: How many are kept

    @Test("of 30 applies the newest 21 generations are kept, and one of them can be held")
    func pruning() throws {
        try Self.withNamespace { namespace in
            try AgentFixture.with(Self.configuration(1), in: namespace) { agent in
                let first = try agent.rulesInKernel()
                for number in 2...30 {
                    try agent.write(Self.configuration(number))
                    let apply = try agent.control("apply")
                    #expect(apply.status == .exited(0), "\(apply)")
                }
                #expect(try agent.status().generation == 30)
                let generations = agent.stateDirectory.appending(path: "generations").path
                let kept = Set((10...30).flatMap { ["\($0).json", "\($0).summary.json"] })
                #expect(
                    Set(try FileManager.default.contentsOfDirectory(atPath: generations)) == kept)
                #expect(try agent.control("rollback", "9").status == .exited(1))
                #expect(try agent.control("rollback", "10").status == .exited(0))
                #expect(try agent.status().generation == 10)
                #expect(try agent.rulesInKernel() != first)
                agent.kill()
                try agent.start()
                #expect(try agent.status().generation == 10)
                #expect(
                    Set(try FileManager.default.contentsOfDirectory(atPath: generations)) == kept)
            }
        }
    }
}
