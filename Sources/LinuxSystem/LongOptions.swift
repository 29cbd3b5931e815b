internal import CLinux
internal import Glibc

/// The process's arguments as GNU programs read them, by getopt_long(3).
package struct LongOptions<Option: RawRepresentable<String>> {
    /// In the order in which they stand, with their values.
    package private(set) var options: [(option: Option, value: String?)] = []
    /// The words that are no option.
    package private(set) var operands: [String] = []

    /// - Parameters:
    ///   - known: the options that there are; their names without the hyphens are their raw values.
    ///   - takesValue: whether an option has one.
    /// - Throws: where an option is not understood.
    package init(_ known: [Option], takesValue: (Option) -> Bool) throws(LongOptionsProblem) {
        let names = known.map { strdup($0.rawValue) }
        defer { names.forEach { free($0) } }
        let pointers = names.map { UnsafePointer($0) }
        let values = known.map(takesValue)
        while true {
            var value: UnsafePointer<CChar>?
            var operand: Int32 = 0
            var letter: Int32 = 0
            let answer = clinux_next_option(
                CommandLine.argc, CommandLine.unsafeArgv, pointers, values, Int32(known.count),
                &value, &operand, &letter)
            if answer == -2 {
                throw letter == 0
                    ? Self.problem(with: Self.word(Int(operand) - 1), known, values)
                    : LongOptionsProblem(
                        "invalid option -- '\(String(decoding: [UInt8(truncatingIfNeeded: letter)], as: UTF8.self))'"
                    )
            }
            if answer == -1 {
                operands = (Int(operand)..<Int(CommandLine.argc)).map { Self.word($0) }
                return
            }
            options.append((known[Int(answer)], value.map { String(cString: $0) }))
        }
    }

    private static func word(_ index: Int) -> String {
        CommandLine.unsafeArgv[index].map { String(cString: $0) } ?? ""
    }

    /// The complaint of getopt_long about a word; it would show the word as it is, whatever that
    /// does to a terminal.
    private static func problem(
        with word: String, _ known: [Option], _ takesValue: [Bool]
    ) -> LongOptionsProblem {
        let name = String(word.prefix { $0 != "=" })
        let named = known.indices.filter { "--\(known[$0].rawValue)".hasPrefix(name) }
        let exact = named.filter { "--\(known[$0].rawValue)" == name }
        guard let index = exact.first ?? named.first else {
            return LongOptionsProblem("unrecognized option '\(word)'")
        }
        guard exact.count == 1 || named.count == 1 else {
            let names = named.map { "'--\(known[$0].rawValue)'" }.joined(separator: " ")
            return LongOptionsProblem("option '\(word)' is ambiguous; possibilities: \(names)")
        }
        let option = "option '--\(known[index].rawValue)'"
        return LongOptionsProblem(
            takesValue[index]
                ? "\(option) requires an argument" : "\(option) doesn't allow an argument")
    }
}

/// Why arguments can't be understood.
package struct LongOptionsProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The problem in words for people, as GNU programs tell it.
    package let description: String

    init(_ description: String) { self.description = description }
}
