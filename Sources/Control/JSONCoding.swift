internal import FoundationEssentials
package import JSONValue

/// Our own types as JSON values, through `Codable`. Only for values of ours: text from outside is
/// parsed first (`JSONValue(parsing:)`), which bounds its depth.
extension JSONValue {
    package init(encoding value: some Encodable) throws {
        try self.init(parsing: Array(JSONEncoder().encode(value)))
    }

    /// Throws `DecodingError`.
    package func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(serialized))
    }
}
