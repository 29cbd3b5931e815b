internal import CLinux
internal import Glibc

/// The process's arguments as GNU programs read them, by getopt_long(3).
package struct LongOptions<Option: RawRepresentable<String>> {
    /// In the order in which they stand, with their values.
    package private(set) var options: [(option: Option, value: String?)] = []
    /// What is no option.
    package private(set) var operands: [String] = []

    /// - Parameters:
    ///   - known: the options that there are; their names without the hyphens are their raw values.
    ///   - takesValue: whether an option has one.
    /// - Returns: nil where an option is not understood, which getopt_long has told on standard error.
    package init?(_ known: [Option], takesValue: (Option) -> Bool) {
        let names = known.map { strdup($0.rawValue) }
        defer { names.forEach { free($0) } }
        let pointers = names.map { UnsafePointer($0) }
        let values = known.map(takesValue)
        while true {
            var value: UnsafePointer<CChar>?
            var operand: Int32 = 0
            let answer = clinux_next_option(
                CommandLine.argc, CommandLine.unsafeArgv, pointers, values, Int32(known.count),
                &value, &operand)
            if answer == -2 { return nil }
            if answer == -1 {
                operands = (Int(operand)..<Int(CommandLine.argc)).compactMap {
                    CommandLine.unsafeArgv[$0].map { String(cString: $0) }
                }
                return
            }
            options.append((known[Int(answer)], value.map { String(cString: $0) }))
        }
    }
}
