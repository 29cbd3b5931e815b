import Authoring
import Policy
import PortModel
import Ruleset

@testable import Configuration
@testable import Enforcement
@testable import Site

extension Parser {
    /// What administrators write.
    static let configurationParsers: [Parser] = [
        Parser("configuration", upTo: ConfigurationLimits.bytesOfFile) { input in
            let loaded = LoadedConfiguration(parsing: sources(of: input))
            try require(
                (loaded.deployment == nil) || !loaded.hasErrors, "it is taken in spite of errors")
            guard let deployment = loaded.deployment else { return }
            // Two nodes are as good as ten thousand here, and on a host of theirs they are enforced.
            let hosts = Set(deployment.nodes.prefix(2).flatMap(\.allAddresses))
            let compilation = Compilation(loaded, hostAddresses: hosts)
            guard let target = compilation.target else {
                try require(
                    compilation.diagnostics.contains { $0.severity == .error },
                    "it is taken, and refused without a reason")
                return
            }
            for rule in target.ruleset.tables.flatMap(\.chains).flatMap(\.rules) {
                let again = try Rule(nft: rule.text)
                try require(again == rule, "\(rule.text) is another rule")
            }
            guard let source = hosts.min(by: { $0 < $1 }) else { return }
            let packet = Packet(
                .inbound, from: source, to: source, .tcp(source: 55_000, destination: 443))
            _ = target.ruleset.explain(packet)
        },
        Parser("addresses", upTo: 1 << 16) { input in
            let text = String(decoding: input, as: UTF8.self)
            if let address = IPAddress(text) {
                try require(
                    IPAddress(address.description) == address, "\(address) is another address")
                _ = address.unusableAsHost
            }
            if let range = range(text) {
                let elements = AddressSet(ranges: [range]).elements
                try require(elements.count == 1, "\(text) becomes \(elements)")
                for element in elements {
                    try require(Self.range(element) == range, "\(element) is another range")
                }
            }
        },
        Parser("words", upTo: 1 << 16) { input in
            let text = String(decoding: input, as: UTF8.self)
            if let seconds = Guard.seconds(text) {
                try require((0...3_600 * 999_999).contains(seconds), "\(text) is no time")
            }
            try require(
                !Deployment.isName(text) || text.utf8.count <= Deployment.nameLength,
                "a name of \(text.utf8.count) bytes")
            _ = SiteRule.isName(text)
            _ = answer(text)
        },
    ]

    /// Up to four files; a byte that none has parts them.
    private static func sources(of input: [UInt8]) -> [ConfigurationSource] {
        let files = input.split(separator: 0xff, maxSplits: 3, omittingEmptySubsequences: false)
        return files.enumerated().map { index, bytes in
            ConfigurationSource(path: "\(10 + index).yaml", bytes: Array(bytes))
        }
    }

    private static func range(_ text: String) -> ClosedRange<IPAddress>? {
        do throws(AddressSyntaxError) {
            return try parseAddressRange(text)
        } catch {
            return nil
        }
    }

    private static func answer(_ text: String) -> NodeAnswer? {
        do throws(AnswerProblem) {
            return try NodeAnswer(parsing: text)
        } catch {
            return nil
        }
    }
}
