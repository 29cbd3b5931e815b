/// The received part of a stream of messages, each ended by a NUL.
struct MessageBuffer {
    private var bytes: [UInt8] = []
    /// The first byte not taken yet.
    private var start = 0
    /// There is no NUL between `start` and this.
    private var scanned = 0
    /// The byte after the last NUL.
    private var tail = 0

    /// Bytes not taken yet.
    var count: Int { bytes.count - start }

    /// Whether the last message has begun but not ended.
    var endsInPart: Bool { tail < bytes.count }

    /// Whether a whole message waits to be taken.
    var hasMessage: Bool { tail > start }

    /// True where a message ends in `received`.
    mutating func append(_ received: ArraySlice<UInt8>) -> Bool {
        let end = received.lastIndex(of: 0)
        if let end { tail = bytes.count + (end - received.startIndex) + 1 }
        bytes += received
        return end != nil
    }

    /// Takes the oldest whole message, without its NUL.
    mutating func next() -> [UInt8]? {
        guard tail > start, let end = bytes[scanned...].firstIndex(of: 0) else {
            scanned = bytes.count
            return nil
        }
        let message = Array(bytes[start..<end])
        start = end + 1
        scanned = start
        // Moving the rest costs no more than what has been taken already.
        if start > bytes.count / 2 {
            bytes.removeFirst(start)
            tail -= start
            start = 0
            scanned = 0
        }
        return message
    }
}
