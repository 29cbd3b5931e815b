import ArgumentParser
import Foundation
import TestSupport

/// Measures pexip-fw beside what else there is. `packaging/bench` builds and runs it.
@main struct Benchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark",
        abstract: "Measures pexip-fw beside what else there is, in namespaces of its own.")

    enum Part: String, CaseIterable, ExpressibleByArgument {
        case local, gateway, transactions, agent, reloads, scale, readers
    }

    @Argument(help: "What to measure; everything where nothing is named.")
    var parts: [Part] = []

    @Option(help: "How often each thing is measured.")
    var rounds = 11

    @Option(help: "A directory for benchmark.json and benchmark.md.")
    var output = "."

    func run() async throws {
        guard rounds > 0 else { throw ValidationError("--rounds is at least 1") }
        let directory = URL(fileURLWithPath: output, isDirectory: true)
        // Before anything is measured that could not be written.
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let parts = self.parts.isEmpty ? Part.allCases : self.parts
        var report = Report(machine: try Self.machine(), versions: try Self.versions())
        for part in parts { report.rows += try await rows(of: part) }
        try report.json.write(to: directory.appending(path: "benchmark.json"))
        try Data(report.markdown.utf8).write(to: directory.appending(path: "benchmark.md"))
        print("written: \(directory.appending(path: "benchmark.md").path)")
    }

    private func rows(of part: Part) async throws -> [Row] {
        let packetPath = PacketPath(rounds: rounds)
        let controlPlane = ControlPlane(rounds: rounds)
        return switch part {
        case .local:
            try packetPath.local([try Ferm(), try Shorewall(), try Ufw(), try Firewalld()])
        case .gateway: try packetPath.gateway()
        case .transactions: try await controlPlane.transactions()
        case .agent: try controlPlane.agent(try Firewalld())
        case .reloads: try reloads()
        case .scale: try controlPlane.scale()
        case .readers: try Readers(rounds: rounds).rows()
        }
    }

    /// What each alternative takes to put one changed port in force.
    private func reloads() throws -> [Row] {
        try [try Ferm(), try Shorewall(), try Ufw(), try Firewalld()].map {
            (alternative: any Alternative) in
            let namespace = try NetworkNamespace()
            defer { leavingBehind { try namespace.close() } }
            try alternative.start(in: namespace)
            let times = try (0..<min(rounds, 5)).map { _ in try alternative.reload() }
            let row = Row(
                "reload of a changed port: \(alternative.name), ms", times.map { $0 / 1e6 })
            progress(row)
            return row
        }
    }

    private static func machine() throws -> String {
        let kernel = try ChildProcess.run(["uname", "-sr"]).requireSuccess().standardOutput
        return kernel.trimmingCharacters(in: .newlines)
            + ", \(ProcessInfo.processInfo.processorCount) processors"
    }

    private static func versions() throws -> [String] {
        try ["nftables", "ferm", "shorewall", "ufw", "firewalld"].map { package in
            let version = try ChildProcess.run(
                ["dpkg-query", "--show", "--showformat=${Version}", package]
            ).requireSuccess().standardOutput
            return "\(package) \(version)"
        }
    }
}
