/// A parser of bytes from outside, as a fuzzer and a stopwatch know it.
struct Parser: Sendable {
    /// What it is chosen by: letters and hyphens.
    let name: String
    /// Bytes of the largest input that it is given by the program, or that is tried here.
    let largest: Int
    /// Reads an input, whatever it is, and checks what holds for each that is taken.
    ///
    /// - Throws: ``Violation`` only.
    let read: @Sendable ([UInt8]) throws -> Void

    init(_ name: String, upTo largest: Int, _ read: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.largest = largest
        self.read = read
    }

    static let all =
        configurationParsers + controlParsers + stateParsers + kernelParsers + hostParsers
}

/// Something that must hold for every input and does not for this one.
struct Violation: Error, CustomStringConvertible {
    let description: String
}

func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(Violation) {
    if !holds { throw Violation(description: what()) }
}
