/// A value that goes between the agent and the worker process as bytes.
///
/// Numbers are in network order, texts and byte strings have their length before them.
protocol WireValue {
    init(from reader: inout WireReader) throws(WireError)
    func write(to writer: inout WireWriter)
}

/// Bytes that are not what the other end should have sent.
struct WireError: Error, CustomStringConvertible {
    let description: String
}

struct WireWriter {
    private(set) var bytes: [UInt8] = []

    /// - Parameter reserved: zeros at the beginning, for what is known only later.
    init(reserving reserved: Int = 0) { bytes = [UInt8](repeating: 0, count: reserved) }

    mutating func put(_ byte: UInt8) { bytes.append(byte) }

    mutating func put(_ number: UInt16) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ number: UInt32) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ number: UInt64) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// At most 4 GiB.
    mutating func put(_ data: [UInt8]) {
        put(UInt32(data.count))
        bytes += data
    }

    mutating func put(_ text: String) {
        put(UInt32(text.utf8.count))
        bytes += text.utf8
    }

    mutating func put(_ value: some WireValue) { value.write(to: &self) }

    mutating func put<Value: WireValue>(_ values: [Value]) {
        put(UInt32(values.count))
        for value in values { put(value) }
    }

    mutating func put(texts: [String]) {
        put(UInt32(texts.count))
        for text in texts { put(text) }
    }

    mutating func put(_ text: String?) {
        put(UInt8(text == nil ? 0 : 1))
        if let text { put(text) }
    }

    /// Writes a number over what was reserved.
    mutating func set(_ number: UInt32, at index: Int) {
        withUnsafeBytes(of: number.bigEndian) { bytes.replaceSubrange(index..<index + 4, with: $0) }
    }

    mutating func set(_ byte: UInt8, at index: Int) { bytes[index] = byte }
}

struct WireReader {
    private let bytes: [UInt8]
    private var next = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private mutating func take(_ count: Int) throws(WireError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - next else {
            throw WireError(description: "a message ends in the middle of a value")
        }
        defer { next += count }
        return bytes[next..<next + count]
    }

    mutating func byte() throws(WireError) -> UInt8 { try take(1).reduce(0) { $1 } }

    mutating func short() throws(WireError) -> UInt16 {
        try take(2).reduce(0) { $0 << 8 | UInt16($1) }
    }

    mutating func number() throws(WireError) -> UInt32 {
        try take(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func long() throws(WireError) -> UInt64 {
        try take(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func data() throws(WireError) -> [UInt8] { Array(try take(Int(try number()))) }

    /// Bytes that are no UTF-8 are replaced: others' names and complaints may be anything.
    mutating func text() throws(WireError) -> String {
        String(decoding: try take(Int(try number())), as: UTF8.self)
    }

    mutating func optionalText() throws(WireError) -> String? {
        try byte() == 0 ? nil : try text()
    }

    mutating func texts() throws(WireError) -> [String] {
        var texts: [String] = []
        for _ in 0..<(try number()) { texts.append(try text()) }
        return texts
    }

    /// A value by its name, which the other end may not know.
    static func named<Value: RawRepresentable<String>>(
        _ text: String
    ) throws(WireError) -> Value {
        guard let value = Value(rawValue: text) else {
            throw WireError(description: "there is no \(Value.self) \(text)")
        }
        return value
    }

    mutating func named<Value: RawRepresentable<String>>() throws(WireError) -> Value {
        try Self.named(try text())
    }

    mutating func optionalNamed<Value: RawRepresentable<String>>() throws(WireError) -> Value? {
        guard let text = try optionalText() else { return nil }
        return try Self.named(text) as Value
    }

    mutating func values<Value: WireValue>() throws(WireError) -> [Value] {
        var values: [Value] = []
        for _ in 0..<(try number()) { values.append(try Value(from: &self)) }
        return values
    }

    /// Every value takes the whole message.
    func end() throws(WireError) {
        guard next == bytes.count else {
            throw WireError(description: "a message has \(bytes.count - next) bytes too many")
        }
    }
}
