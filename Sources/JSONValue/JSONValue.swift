/// Any JSON value, for documents whose shape is not ours: nft's listings and Varlink parameters.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Numbers that have an exact 64-bit integer value.
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    /// The member of an object; nil where this is no object or has no such member.
    package subscript(_ key: String) -> JSONValue? { object?[key] }

    /// The members of an object; nil for any other value.
    package var object: JSONObject? {
        if case .object(let members) = self { members } else { nil }
    }
    /// The items of an array; nil for any other value.
    package var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
    /// The text of a string; nil for any other value.
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    /// nil for any other value, numbers without an exact 64-bit integer value among them.
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    /// nil for any other value: 0 and 1 are numbers.
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
}
