internal import Ruleset

// Shadows between the agent and the worker process.

extension Shadow: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(
            family: try reader.named(), table: try reader.text(),
            chain: try reader.optionalText(), hook: try reader.optionalNamed(),
            priority: try reader.optionalText().flatMap { Int($0) },
            policy: try reader.optionalNamed(),
            why: try reader.values().map { (name: Name) throws(WireError) in try name.value() },
            within: try reader.values().map { (name: Name) in name.text },
            owner: try reader.optionalNamed())
    }

    func write(to writer: inout WireWriter) {
        writer.put(family.rawValue)
        writer.put(table)
        writer.put(chain)
        writer.put(hook?.rawValue)
        writer.put(priority.map { "\($0)" })
        writer.put(policy?.rawValue)
        writer.put(why.map { Name(text: $0.rawValue) })
        writer.put(within.map { Name(text: $0) })
        writer.put(owner?.rawValue)
    }
}

/// A text in a list.
private struct Name: WireValue {
    var text: String

    init(text: String) { self.text = text }

    init(from reader: inout WireReader) throws(WireError) { text = try reader.text() }
    func write(to writer: inout WireWriter) { writer.put(text) }

    func value<Value: RawRepresentable<String>>() throws(WireError) -> Value {
        guard let value = Value(rawValue: text) else {
            throw WireError(description: "there is no \(Value.self) \(text)")
        }
        return value
    }
}

extension WireReader {
    fileprivate mutating func named<Value: RawRepresentable<String>>() throws(WireError) -> Value {
        try Name(from: &self).value()
    }

    fileprivate mutating func optionalNamed<Value: RawRepresentable<String>>()
        throws(WireError) -> Value?
    {
        guard let text = try optionalText() else { return nil }
        return try Name(text: text).value()
    }
}
