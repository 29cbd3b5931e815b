import Glibc

// The program's entry points, which libFuzzer's own `main` calls:
//
//     fuzzing --list                        names the parsers
//     fuzzing --parser=json --largest       gives the parser its largest and most hostile inputs
//     fuzzing --parser=json [-FLAG…] [CORPUS…]  lets libFuzzer look for others
//
// libFuzzer ignores flags that begin with two hyphens, and hands them on to processes that it starts.

/// The parser that was chosen; set once, before the first input.
nonisolated(unsafe) private var chosen: Parser?

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
    let words = CommandLine.arguments
    if words.contains("--list") {
        for parser in Parser.all { print(parser.name) }
        exit(EXIT_SUCCESS)
    }
    let prefix = "--parser="
    let name = words.first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    guard let parser = Parser.all.first(where: { $0.name == name }) else {
        fail("--parser= takes one of: \(Parser.all.map(\.name).joined(separator: " "))")
    }
    if words.contains("--largest") {
        parser.measureLargest()
        exit(EXIT_SUCCESS)
    }
    chosen = parser
    // Before the flags that were given, which have the last word.
    add("-max_len=\(parser.largest)", to: count, arguments)
    return 0
}

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
            abort()
        }
    }
}

/// Adds a flag behind the program's name. What is put there lives as long as the process.
private func add(
    _ flag: String, to count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) {
    let old = UnsafeBufferPointer(start: arguments.pointee, count: Int(count.pointee))
    let new = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: old.count + 2)
    new[0] = old[0]
    new[1] = strdup(flag)
    for index in 1..<old.count { new[index + 1] = old[index] }
    new[old.count + 1] = nil
    arguments.pointee = new
    count.pointee += 1
}

func fail(_ message: String) -> Never {
    print("fuzzing: \(message)")
    exit(EXIT_FAILURE)
}
