internal import Ruleset
internal import Site

// Findings about others' tables, on their way between the worker process and the agent.

extension ForeignTables: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(
            shadows: try reader.values(), lookalikes: try reader.values(),
            translations: try reader.values())
    }

    func write(to writer: inout WireWriter) {
        writer.put(shadows)
        writer.put(lookalikes)
        writer.put(translations)
    }
}

extension Lookalike: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(try TableID(from: &reader), handle: try reader.long())
    }

    func write(to writer: inout WireWriter) {
        writer.put(id)
        writer.put(handle)
    }
}

extension SourceTranslation: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(
            family: try reader.named(), table: try reader.text(),
            chain: try reader.optionalText())
    }

    func write(to writer: inout WireWriter) {
        writer.put(family.rawValue)
        writer.put(table)
        writer.put(chain)
    }
}

extension Shadow: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(
            family: try reader.named(), table: try reader.text(),
            chain: try reader.optionalText(), hook: try reader.optionalNamed(),
            priority: try reader.optionalText().flatMap { Int($0) },
            policy: try reader.optionalNamed(),
            why: try reader.texts().map { text throws(WireError) in try WireReader.named(text) },
            within: try reader.texts(),
            owner: try reader.optionalNamed())
    }

    func write(to writer: inout WireWriter) {
        writer.put(family.rawValue)
        writer.put(table)
        writer.put(chain)
        writer.put(hook?.rawValue)
        writer.put(priority.map { "\($0)" })
        writer.put(policy?.rawValue)
        writer.put(texts: why.map(\.rawValue))
        writer.put(texts: within)
        writer.put(owner?.rawValue)
    }
}
