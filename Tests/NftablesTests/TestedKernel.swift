import Foundation
import Nftables
import Ruleset
import Site
import Synchronization
import TestSupport
import Testing

/// The kernel of this process's network namespace, through a keeper and a worker of the built
/// `pexip-fwd`.
enum TestedKernel {
    static let prefix = OwnTable.namePrefix
    /// For stamps.
    static let digest = String(repeating: "0123", count: 16)

    /// Gives the body a kernel, and removes our tables and the processes afterwards.
    static func with(
        deadline: Duration = .seconds(20), _ body: (NftablesKernel) async throws -> Void
    ) async throws {
        try await withWorker(deadline: deadline) { kernel, _ in try await body(kernel) }
    }

    static func withWorker(
        deadline: Duration = .seconds(20),
        _ body: (NftablesKernel, TestedWorker) async throws -> Void
    ) async throws {
        try OwnNamespace.require()
        let keeper = try KernelKeeper(program: BuiltProducts.path(of: "pexip-fwd"))
        let reports = Reports()
        let kernel = NftablesKernel(keeper, deadline: deadline) { reports.add($0) }
        // Which child of ours it is shows when it has answered.
        _ = try await kernel.generationID()
        let pid = try ProcessTree.children(of: getpid()).first {
            ProcessTree.isAlive($0) && ProcessTree.name(of: $0) == "pexip-fw-keeper"
        }
        let worker = TestedWorker(keeper: try #require(pid), reports: reports)
        do {
            try await body(kernel, worker)
        } catch {
            try await clean(kernel)
            throw error
        }
        try await clean(kernel)
    }

    private static func clean(_ kernel: NftablesKernel) async throws {
        try await removeTables(kernel)
        try await kernel.stop()
    }

    /// Every table that is called as ours are, whatever it holds: tests make some without stamps.
    static func tables(_ kernel: NftablesKernel) async throws -> Observation {
        let listing = try ChildProcess.run(["nft", "list", "tables", "inet"]).requireSuccess()
        let names = listing.standardOutput.split(whereSeparator: \.isWhitespace).map(String.init)
        let tables = names.map { TableID(.inet, $0) }.filter(OwnTable.isID)
        return try await kernel.tables(compiled: Set(tables))
    }

    static func removeTables(_ kernel: NftablesKernel) async throws {
        let left = try await tables(kernel).tables
        try await kernel.commit(Transaction(from: left, to: Ruleset(tables: [])))
    }
}

/// What a kernel told of its workers' ends.
final class Reports: Sendable {
    private let told = Mutex<[String]>([])

    func add(_ report: String) { told.withLock { $0.append(report) } }
    var all: [String] { told.withLock { $0 } }
}

/// The processes behind a kernel.
struct TestedWorker: Sendable {
    let keeper: Int32
    fileprivate let reports: Reports

    var ends: [String] { reports.all }

    /// The worker that lives; nil where there is none.
    var pid: Int32? { get throws { try ProcessTree.children(of: keeper).first } }

    /// Sends the living worker signals, of which the first may end it.
    func signal(_ signals: Int32...) throws {
        let pid = try #require(try pid)
        for (index, signal) in signals.enumerated() {
            #expect(kill(pid, signal) == 0 || index > 0 && errno == ESRCH)
        }
    }

    /// Ends the worker by a signal, and waits until it is gone.
    func end(by signal: Int32) throws {
        let pid = try #require(try pid)
        #expect(kill(pid, signal) == 0)
        #expect(waitUntil { !ProcessTree.isAlive(pid) })
    }
}
