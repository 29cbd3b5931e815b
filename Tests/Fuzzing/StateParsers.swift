import JSONValue
import Policy
import PortModel
import Ruleset
import Site

@testable import Enforcement
@testable import Reports

extension Parser {
    /// What the agent writes and reads again. A stored file may be 256 MiB; a part of that
    /// shows how time and memory grow.
    static let stateParsers: [Parser] = [
        Parser("json", upTo: 4 << 20) { input in
            guard let value = parsedJSON(input) else { return }
            for text in [value.serialized, value.indented] {
                try require(parsedJSON(text) == value, "written and read again it is another value")
            }
        },
        Parser("generation", upTo: 4 << 20) { input in
            guard let generation = try decoded(Generation.self, input), isValid(generation)
            else { return }
            _ = generation.stamped
            _ = generation.deployment
            _ = FlowJudge(generation, hostAddresses: [])
            _ = generation.ruleset.explain(packet)
        },
        Parser("standing", upTo: 1 << 20) { input in
            if let standing = try decoded(Standing.self, input), isValid(standing) {
                _ = standing.confirmed
            }
            if let summary = try decoded(GenerationSummary.self, input) { _ = isValid(summary) }
        },
        Parser("rule", upTo: 2_048) { input in
            guard let rule = rule(String(decoding: input, as: UTF8.self)) else { return }
            try require(Self.rule(rule.text) == rule, "\(rule.text) is another rule")
        },
        // The kernel keeps no longer comments (`NFT_USERDATA_MAXLEN`).
        Parser("stamp", upTo: 256) { input in
            guard let stamp = Stamp(comment: String(decoding: input, as: UTF8.self)) else { return }
            try require(Stamp(comment: stamp.comment) == stamp, "\(stamp.comment) is another stamp")
        },
        Parser("timestamp", upTo: 1 << 16) { input in
            let text = String(decoding: input, as: UTF8.self)
            guard let time = Timestamp(text) else { return }
            try require(time.description == text, "\(text) is written \(time)")
        },
    ]

    private static let packet = Packet(
        .inbound, from: IPAddress(family: .ipv4, value: 0xc000_0207),
        to: IPAddress(family: .ipv4, value: 0x0a00_0015), .tcp(source: 50_000, destination: 443))

    /// Nothing else is believed.
    private static func isValid(_ value: some StoredState) -> Bool {
        do throws(StoredFault) {
            try value.validate()
            return true
        } catch {
            return false
        }
    }

    private static func rule(_ text: String) -> Rule? {
        do throws(RuleSyntaxError) {
            return try Rule(nft: text)
        } catch {
            return nil
        }
    }
}

/// nil where the bytes are no JSON.
func parsedJSON(_ input: [UInt8]) -> JSONValue? {
    do throws(JSONSyntaxError) {
        return try JSONValue(parsing: input)
    } catch {
        return nil
    }
}

/// A value of the type; nil where the bytes are none.
///
/// - Throws: where it is another one when it is written and read again.
func decoded<Value: Codable & Equatable>(
    _ type: Value.Type, _ input: [UInt8]
) throws -> Value? {
    guard let json = parsedJSON(input) else { return nil }
    let value: Value
    do {
        value = try json.decoded(as: type)
    } catch {
        return nil
    }
    let text = try JSONValue(encoding: value).indented
    let again = try JSONValue(parsing: text).decoded(as: type)
    try require(again == value, "written and read again this \(type) is another one")
    return value
}
