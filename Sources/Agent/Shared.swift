internal import Synchronization

/// A value that several tasks see.
final class Shared<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>

    init(_ value: Value) { stored = Mutex(value) }

    var value: Value {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }

    func withLock<Success: Sendable>(_ body: (inout Value) -> Success) -> Success {
        stored.withLock { body(&$0) }
    }
}
