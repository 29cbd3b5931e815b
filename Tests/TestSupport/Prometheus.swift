package import Foundation

/// Debian's Prometheus, which collects each second what node_exporter tells in the same namespace.
package final class Prometheus {
    private static let address = "127.0.0.1:9090"

    private let namespace: NetworkNamespace

    /// The path of a program of Prometheus'. `PEXIP_FW_PROMETHEUS` names their directory.
    package static func path(of program: String) throws -> String {
        let directory = ProcessInfo.processInfo.environment["PEXIP_FW_PROMETHEUS"]
        let found = directory.map { "\($0)/\(program)" } ?? program
        guard let path = ChildProcess.locate(found) else {
            throw TestSupportError(
                "there is no \(found): run packaging/test, which unpacks Debian's prometheus and prometheus-node-exporter and sets PEXIP_FW_PROMETHEUS"
            )
        }
        return path
    }

    /// Starts it and waits until it answers.
    ///
    /// - Parameters:
    ///   - directory: for its files, which are left there.
    ///   - rules: a file of rules that it evaluates.
    package init(in namespace: NetworkNamespace, directory: URL, rules: String) throws {
        self.namespace = namespace
        let configuration = directory.appending(path: "prometheus.yml")
        try Data(
            """
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: ["\(rules)"]
            scrape_configs:
              - job_name: node
                static_configs: [{targets: ["127.0.0.1:9100"]}]
            """.utf8
        ).write(to: configuration)
        let process = try namespace.spawn([
            try Self.path(of: "prometheus"), "--config.file=\(configuration.path)",
            "--storage.tsdb.path=\(directory.appending(path: "prometheus").path)",
            "--web.listen-address=\(Self.address)", "--log.level=warn",
        ])
        let isReady = try waitUntil(every: .milliseconds(50)) {
            guard process.isRunning else { return true }
            return try namespace.run(["curl", "-sf", "http://\(Self.address)/-/ready"]).succeeded
        }
        guard isReady, process.isRunning else {
            throw TestSupportError("Prometheus does not start: \(process.standardError)")
        }
    }

    /// How many series a query has now.
    ///
    /// - Throws: where it is not valid.
    package func results(of query: String) throws -> Int {
        struct Answer: Decodable {
            struct Contents: Decodable { var result: [Series] }
            struct Series: Decodable {}
            var status: String
            var data: Contents?
            var error: String?
        }
        let answer = try ask("query", ["--data-urlencode", "query=\(query)"], Answer.self)
        guard let contents = answer.data, answer.status == "success" else {
            throw TestSupportError("\(query): \(answer.error ?? answer.status)")
        }
        return contents.result.count
    }

    /// Rules that could not be evaluated, with the reason.
    package func unhealthyRules() throws -> [String] {
        struct Answer: Decodable {
            struct Contents: Decodable { var groups: [Group] }
            struct Group: Decodable { var rules: [Rule] }
            struct Rule: Decodable {
                var name: String
                var health: String
                var lastError: String?
            }
            var data: Contents
        }
        return try ask("rules", [], Answer.self).data.groups.flatMap(\.rules)
            .filter { $0.health != "ok" }.map { "\($0.name): \($0.lastError ?? $0.health)" }
    }

    private func ask<Answer: Decodable>(
        _ call: String, _ arguments: [String], _ type: Answer.Type
    ) throws -> Answer {
        let result = try namespace.run(
            ["curl", "-sS", "--get"] + arguments + ["http://\(Self.address)/api/v1/\(call)"]
        ).requireSuccess()
        return try JSONDecoder().decode(type, from: Data(result.standardOutput.utf8))
    }
}
