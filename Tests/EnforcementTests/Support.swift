import Configuration
import Foundation
import Glibc
import KernelFake
import Logging
import PortModel
import Ruleset
import Site
import Synchronization
import Testing

@testable import Enforcement
@testable import Reports

/// A directory of one test, removed with it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/pexip-fw-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }

    /// One that a process made which may end too early to remove it.
    init(adopting path: String) { self.path = path }

    func appending(_ name: String) -> String { "\(path)/\(name)" }

    func bytes(of name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: appending(name))))
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: appending(name)))
    }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: appending(name), withIntermediateDirectories: true)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: appending(name))
    }

    /// The files of the state directory and of its generations, sorted.
    func names(_ name: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: appending(name)).sorted()
    }

    func copy() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        for name in try names() {
            try FileManager.default.copyItem(
                atPath: appending(name), toPath: copy.appending(name))
        }
        return copy
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A small file system of its own, which can be full or read-only; needs root.
final class SmallFileSystem: Sendable {
    private static let readOnly: UInt = 1
    private static let remount: UInt = 32
    let directory: TemporaryDirectory

    init(kibibytes: Int) throws {
        directory = try TemporaryDirectory()
        try check(mount("tmpfs", directory.path, "tmpfs", 0, "size=\(kibibytes)k"))
    }

    func setReadOnly(_ isReadOnly: Bool) throws {
        let flags = Self.remount | (isReadOnly ? Self.readOnly : 0)
        try check(mount("tmpfs", directory.path, "tmpfs", flags, nil))
    }

    /// Takes all the space that is left.
    func fill() throws {
        let file = open(directory.appending("filler"), O_CREAT | O_WRONLY | O_APPEND, 0o600)
        try check(file)
        defer { close(file) }
        let page = [UInt8](repeating: 0, count: 4096)
        while write(file, page, page.count) == page.count {}
        #expect(errno == ENOSPC)
    }

    private func check(_ result: Int32) throws {
        guard result >= 0 else {
            throw StoreFault(reason: "the store tests mount: \(String(cString: strerror(errno)))")
        }
    }

    deinit { umount2(directory.path, Int32(MNT_DETACH)) }
}

struct StoreFault: Error { let reason: String }

/// A clock that stands until it is moved.
final class ManualClock: HostClock {
    private struct Time {
        var bootID = "first"
        var sinceBoot = Duration.seconds(100)
        var now = Timestamp(seconds: 1_800_000_000)
    }

    private let time = Mutex(Time())

    var bootID: String { time.withLock { $0.bootID } }
    var sinceBoot: Duration { time.withLock { $0.sinceBoot } }
    var now: Timestamp { time.withLock { $0.now } }

    func advance(by duration: Duration) {
        time.withLock { time in
            time.sinceBoot += duration
            time.now = Timestamp(seconds: time.now.seconds + duration.components.seconds)
        }
    }

    /// Somebody sets the wall clock.
    func set(_ now: Timestamp) { time.withLock { $0.now = now } }

    func reboot() {
        time.withLock { time in
            time.bootID += "'"
            time.sinceBoot = .seconds(5)
        }
    }
}

/// Probes that fail as the test says, and how often they were asked for.
final class ScriptedProber: Prober {
    private let script = Mutex<(failing: Set<UInt16>, asked: [[Probe]])>(([], []))

    var asked: [[Probe]] { script.withLock { $0.asked } }
    /// - Parameter ports: of the probes that do not connect from now on.
    func fail(_ ports: Set<UInt16>) { script.withLock { $0.failing = ports } }

    func failures(of probes: [Probe]) async -> [ProbeFailure] {
        script.withLock { script in
            if !probes.isEmpty { script.asked.append(probes) }
            return probes.filter { script.failing.contains($0.port) }.map {
                ProbeFailure(probe: $0, reason: "as scripted")
            }
        }
    }
}

// MARK: Configurations

let hostAddress = IPAddress(family: .ipv4, value: 0x0a00_0015)

func compile(_ text: String, host: Set<IPAddress> = [hostAddress]) -> Compilation {
    Compilation(
        LoadedConfiguration(parsing: [ConfigurationSource(path: "a.yaml", text: text)]),
        hostAddresses: host)
}

/// Configurations of this host's node that differ in who may use SSH.
func configuration(_ variant: Int) -> Compilation {
    compile(
        """
        nodes: {conf: {role: conferencing, address: 10.0.0.21}}
        features: {ssh: true}
        peers: {ssh_clients: [10.9.0.\(variant)]}
        """)
}

/// Has an error in line 1, column 22.
let wrongText = "nodes: {conf: {role: wrong, address: 10.0.0.21}}\n"
let wrongConfiguration = compile(wrongText)
let emptyConfiguration = compile("")

/// A generation that nobody put in force.
func generation(_ number: Int, _ variant: Int = 1) throws -> Generation {
    let target = try #require(configuration(variant).target)
    return Generation(
        number: number, created: Timestamp(seconds: 1_800_000_000), origin: .directory,
        configurationDigest: configuration(variant).configurationDigest, configuration: [],
        mode: target.mode, revokesEstablished: true, nodes: target.nodes, ruleset: target.ruleset,
        rows: target.rows)
}

// MARK: The reconciler with what it works on

struct Bench: Sendable {
    let directory: TemporaryDirectory
    let kernel: FakeKernel
    let clock: ManualClock
    let prober = ScriptedProber()
    let reconciler: Reconciler
    let journal: Journal

    /// - Parameter adopts: whether first rules adopt what stands.
    init(
        _ directory: TemporaryDirectory? = nil, kernel: FakeKernel = FakeKernel(),
        clock: ManualClock = ManualClock(), adopts: Bool = false
    ) throws {
        self.clock = clock
        self.directory = try directory ?? TemporaryDirectory()
        self.kernel = kernel
        var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        log.logLevel = .critical
        journal = Journal(log: log)
        reconciler = Reconciler(
            kernel: kernel, store: GenerationStore(directory: self.directory.path),
            clock: clock, prober: prober,
            identity: StatusReport.AgentIdentity(
                version: "0", pid: 1, started: Timestamp(seconds: 0)),
            journal: journal, adoptsConnections: adopts)
    }

    /// Started, with the variants in force one after another.
    static func holding(
        _ variants: Int..., in directory: TemporaryDirectory? = nil
    ) async throws -> Bench {
        let bench = try Bench(directory)
        await bench.reconciler.start(configuration(variants[0]))
        for variant in variants.dropFirst() { await bench.apply(variant) }
        await bench.kernel.forgetCommits()
        return bench
    }

    /// Another agent on the same state directory and kernel.
    func restarted() throws -> Bench { try Bench(directory, kernel: kernel, clock: clock) }

    func apply(_ variant: Int) async {
        let report = await reconciler.applied(configuration(variant))
        #expect(report.outcome == .applied)
    }

    /// Starts, and waits until the flows were looked at that are not permitted.
    func startedToItsEnd(_ compilation: Compilation) async {
        await reconciler.start(compilation)
        await reconciler.flowsEnded()
    }

    func state() async -> StatusReport.State { await reconciler.inspector.status().state }

    /// Expects the kernel to hold exactly this generation of ours, the status to say so, and the
    /// next start to restore it.
    func expectInForce(
        _ number: Int, _ variant: Int, _ state: StatusReport.State = .inSync,
        sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) async throws {
        let status = await reconciler.inspector.status()
        #expect(status.state == state, sourceLocation: sourceLocation)
        #expect(status.generation == number, sourceLocation: sourceLocation)
        if state != .pendingConfirmation {
            #expect(status.confirmedGeneration == number, sourceLocation: sourceLocation)
        }
        let expected = try generation(number, variant)
        await expectKernel(expected.stamped, sourceLocation: sourceLocation)
        let store = GenerationStore(directory: directory.path)
        #expect(try store.standing()?.generation == number, sourceLocation: sourceLocation)
        #expect(
            try store.generation(number).ruleset == expected.ruleset,
            sourceLocation: sourceLocation)
    }

    /// Expects the kernel to hold exactly these tables of ours.
    func expectKernel(
        _ ruleset: Ruleset, sourceLocation: Testing.SourceLocation = #_sourceLocation
    ) async {
        let observed = await kernel.state.observed
        #expect(
            Set(observed.map(\.name)) == Set(ruleset.tables.map(\.name)),
            sourceLocation: sourceLocation)
        for table in ruleset.tables {
            let found = observed.first { $0.name == table.name }?.differences(from: table)
            #expect(found == [], sourceLocation: sourceLocation)
        }
    }

    func storedNumbers() throws -> [Int] {
        try GenerationStore(directory: directory.path).numbers()
    }
}

// MARK: Operations to their end

extension Reconciler {
    func applied(
        _ compilation: Compilation, _ request: ApplyRequest = ApplyRequest(),
        noticed: Duration? = nil
    ) async -> ApplyReport {
        await apply(compilation, request, noticed: noticed).finalReport()
    }

    func rolledBack(to number: Int?) async -> ApplyReport {
        await rollback(to: number).finalReport()
    }

    func flushed() async -> ApplyReport { await flush().finalReport() }
    func confirmed() async -> ApplyReport { await confirm().finalReport() }

    /// Waits until the flows were looked at that the generation in force does not permit.
    func flowsEnded() async { _ = await revocation?.value }
}
