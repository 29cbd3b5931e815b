import Authoring
import Site
import JSONValue
import Testing
import Configuration

/// Every key that a mapping takes means something: a decoder asks for it.
@Suite struct KeyTests {
    /// A key where it may stand: the keys that lead to it, with names of the base's things where
    /// names stand.
    private struct Place: CustomStringConvertible {
        let keys: [String]
        /// How many of the keys lead to the element of a list.
        let listDepth: Int?

        var description: String { keys.joined(separator: ".") }

        /// A file that holds nothing else, with a value that nothing can be made of.
        var text: String {
            var text = "[[[]]]"
            for (depth, key) in keys.enumerated().reversed() {
                var others: [String] = []
                if depth == listDepth {
                    // A later file's list replaces an earlier one's, so that its element is whole.
                    others = KeyTests.rule.filter { $0.key != key }.map { "\($0.key): \($0.value)" }
                }
                text = "{" + (others + ["\(key): \(text)"]).joined(separator: ", ") + "}"
                if depth == listDepth { text = "[\(text)]" }
            }
            return text + "\n"
        }
    }

    private static let base = "nodes: {a: {role: conferencing, address: 10.0.0.1}}\n"
    private static let rule: KeyValuePairs = [
        "name": "r", "nodes": "a", "direction": "inbound", "protocol": "tcp",
    ]

    /// The keys of a schema's mappings, which are the parser's own, at every depth.
    private static func places(
        _ schema: JSONValue, below keys: [String] = [], listDepth: Int? = nil
    ) -> [Place] {
        var places: [Place] = []
        for (key, value) in schema["properties"]?.object ?? [:] {
            let keys = keys + [key]
            places.append(Place(keys: keys, listDepth: listDepth))
            places += Self.places(value, below: keys, listDepth: listDepth)
        }
        if let named = schema["additionalProperties"], named.object != nil {
            places += Self.places(named, below: keys + ["a"], listDepth: listDepth)
        }
        if let element = schema["items"] {
            places += Self.places(element, below: keys, listDepth: keys.count)
        }
        return places
    }

    @Test func everyKeyIsAskedFor() {
        #expect(load(Self.base).diagnostics.isEmpty)
        let places = Self.places(ConfigurationSchema.document)
        for key in RootKey.allCases.map(\.rawValue) + ["nodes.a.role", "rules.peers"] {
            #expect(places.contains { "\($0)" == key }, "\(key)")
        }
        for place in places {
            let diagnostics = load(files: Self.base, place.text).diagnostics
            #expect(
                diagnostics.contains { $0.severity == .error && $0.location?.file == "2.yaml" },
                "nothing asks for \(place), or takes everything for it: \(diagnostics)")
        }
    }
}
