/// The members of a JSON object, in the order of their keys' UTF-8 bytes.
///
/// Keys are the same where their bytes are (RFC 8259, section 8.3). `String` compares and hashes by
/// canonical equivalence, which takes the square of the length of a text of unordered combining
/// marks: nine seconds for a key of 120 KB.
package struct JSONObject: Hashable, Sendable {
    /// A key with its value.
    package struct Member: Hashable, Sendable {
        /// Any text, the empty one included.
        package var key: String
        package var value: JSONValue
    }

    /// No two have the same key.
    private var members: [Member]

    /// - Parameter members: of those with the same key the last one counts.
    package init(_ members: some Sequence<(key: String, value: JSONValue)>) {
        self.init(ordering: members.map { Member(key: $0.key, value: $0.value) }) { _ in }
    }

    /// - Parameter repeated: called with each key that is there again.
    init(ordering unordered: [Member], onRepetition repeated: (String) -> Void) {
        members = unordered
        if zip(members, members.dropFirst()).allSatisfy({ $0.key.isBefore($1.key) }) { return }
        // The later one of two with the same key goes behind the other.
        let order = unordered.indices.sorted { one, other in
            switch unordered[one].key.order(to: unordered[other].key) {
            case ..<0: true
            case 0: one < other
            default: false
            }
        }
        members = []
        members.reserveCapacity(order.count)
        for index in order {
            let member = unordered[index]
            if let last = members.last, last.key.order(to: member.key) == 0 {
                repeated(member.key)
                members[members.count - 1] = member
            } else {
                members.append(member)
            }
        }
    }

    /// The value of a key; nil takes the member away.
    package subscript(_ key: String) -> JSONValue? {
        get {
            let index = place(of: key)
            return holds(key, at: index) ? members[index].value : nil
        }
        set {
            let index = place(of: key)
            switch (holds(key, at: index), newValue) {
            case (true, let value?): members[index].value = value
            case (true, nil): members.remove(at: index)
            case (false, let value?): members.insert(Member(key: key, value: value), at: index)
            case (false, nil): break
            }
        }
    }

    private func holds(_ key: String, at index: Int) -> Bool {
        index < members.count && members[index].key.order(to: key) == 0
    }

    /// Where the key's member is, or would be.
    private func place(of key: String) -> Int {
        var range = 0..<members.count
        while !range.isEmpty {
            let middle = (range.lowerBound + range.upperBound) / 2
            if members[middle].key.isBefore(key) {
                range = (middle + 1)..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        return range.lowerBound
    }

    package static func == (one: JSONObject, other: JSONObject) -> Bool {
        one.count == other.count
            && zip(one.members, other.members).allSatisfy {
                $0.key.order(to: $1.key) == 0 && $0.value == $1.value
            }
    }
}

extension JSONObject: RandomAccessCollection {
    /// Indices are places in the order of keys, from zero.
    package var startIndex: Int { 0 }
    package var endIndex: Int { members.count }

    /// The member at this place of the order of keys.
    package subscript(position: Int) -> (key: String, value: JSONValue) {
        (members[position].key, members[position].value)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Of members with the same key the last one counts.
    package init(dictionaryLiteral members: (String, JSONValue)...) {
        self.init(members.lazy.map { (key: $0.0, value: $0.1) })
    }
}

extension String {
    fileprivate func isBefore(_ other: String) -> Bool { order(to: other) < 0 }

    /// Negative where this text's UTF-8 bytes come before the other's, zero where they are the
    /// same.
    fileprivate func order(to other: String) -> Int {
        let order = utf8.withContiguousStorageIfAvailable { one in
            other.utf8.withContiguousStorageIfAvailable { other in
                for index in 0..<Swift.min(one.count, other.count)
                where one[index] != other[index] {
                    return one[index] < other[index] ? -1 : 1
                }
                return one.count - other.count
            }
        }
        if let order, let order { return order }
        // Texts that are not stored as UTF-8, of which Linux has none.
        if utf8.elementsEqual(other.utf8) { return 0 }
        return utf8.lexicographicallyPrecedes(other.utf8) ? -1 : 1
    }
}
