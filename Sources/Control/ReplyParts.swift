internal import JSONValue

/// An answer that may be too large for one reply: a list, of which as much as a reply holds is sent at
/// a time, where the client takes several.
package struct ReplyParts<Item: Encodable> {
    /// A reply is sent when it would become longer, in bytes.
    private static var enough: Int { 256 << 10 }

    private let call: VarlinkCall
    private let member: String
    private var items: [JSONValue] = []
    private var size = 0

    /// - Parameter member: the name of the list in each reply.
    init(_ call: VarlinkCall, of member: String) {
        self.call = call
        self.member = member
    }

    /// - Throws: `ExpectedMore` where the client takes one reply and this would not fit;
    ///   `CancellationError` where it has gone.
    package mutating func add(_ item: Item) async throws {
        try Task.checkCancellation()
        let item = try JSONValue(encoding: item)
        let itemSize = item.serialized.count
        if !items.isEmpty, size + itemSize > Self.enough {
            try await call.send(continuing: reply)
            items = []
            size = 0
        }
        items.append(item)
        size += itemSize
    }

    /// The final reply: what was not sent yet.
    var reply: JSONValue { .object([member: .array(items)]) }
}
