import JSONValue

extension Parser {
    /// What the agent and its clients write and read again.
    static let stateParsers: [Parser] = [
        Parser("json", upTo: 1 << 20) { input in
            guard let value = parsedJSON(input) else { return }
            for text in [value.serialized, value.indented] {
                try require(parsedJSON(text) == value, "written and read again it is another value")
            }
        }
    ]
}

/// nil where the bytes are no JSON.
func parsedJSON(_ input: [UInt8]) -> JSONValue? {
    do throws(JSONSyntaxError) {
        return try JSONValue(parsing: input)
    } catch {
        return nil
    }
}
