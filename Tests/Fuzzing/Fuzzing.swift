import Glibc

// What this program is asked for:
//
//     fuzzing --list                               names the parsers
//     fuzzing --parser=NAME --largest              gives one its largest and most hostile inputs
//     fuzzing --parser=NAME [-FLAG…] [DIRECTORY…]  lets libFuzzer look for others
//
// libFuzzer ignores flags that begin with two hyphens, and hands them on to processes that it starts.

/// The parser that was chosen; set once, before the first input.
nonisolated(unsafe) private var chosen: Parser?

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// libFuzzer, but for its `main`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@main
struct Fuzzing {
    static func main() {
        let words = CommandLine.arguments
        if words.contains("--list") {
            for parser in Parser.all { print(parser.name) }
            return
        }
        let prefix = "--parser="
        let name = words.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        guard let parser = Parser.all.first(where: { $0.name == name }) else {
            fail("--parser= takes one of: \(Parser.all.map(\.name).joined(separator: " "))")
        }
        if words.contains("--largest") {
            parser.measureLargest()
            return
        }
        chosen = parser
        exit(run(words.prefix(1) + ["-max_len=\(parser.largest)"] + words.dropFirst()))
    }

    /// - Parameter words: with the program's name.
    private static func run(_ words: ArraySlice<String>) -> CInt {
        // libFuzzer keeps them for as long as the process lives.
        var arguments = Arguments.allocate(capacity: words.count + 1)
        for (index, word) in words.enumerated() { arguments[index] = strdup(word) }
        arguments[words.count] = nil
        var count = CInt(words.count)
        return runDriver(&count, &arguments, testOneInput)
    }
}

/// By the name that the `main` refers to which libFuzzer has, and which is not used.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let parser = chosen else { fail("no parser is chosen") }
    parser.mustRead(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

extension Parser {
    /// Ends the process where anything does not hold, so that libFuzzer keeps the input.
    func mustRead(_ input: [UInt8]) {
        do {
            try read(input)
        } catch {
            print("\(name): \(error)")
            fflush(nil)
            abort()
        }
    }
}

func fail(_ message: String) -> Never {
    print("fuzzing: \(message)")
    exit(EXIT_FAILURE)
}
