import Foundation
import TestSupport

/// What a process did to the files below a directory, and when it answered a command: read from the
/// system calls that strace recorded.
struct WriteTrace {
    enum Event {
        /// Paths are relative to the directory; "" is the directory itself.
        case makeDirectory(String)
        case create(String)
        case write(String, [UInt8])
        case rename(String, to: String)
        case remove(String)
        case sync(String)
        /// A reply with a report was sent to a client.
        case reply
    }

    private(set) var events: [Event] = []

    /// What a program must be started with to be recorded: strace stays beside it, and not before.
    static func launcher(output prefix: String) -> [String] {
        let calls = [
            "openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2",
            "ftruncate", "truncate", "fallocate", "copy_file_range", "fsync", "fdatasync", "rename",
            "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat",
            "rmdir", "mkdir", "mkdirat", "sendto", "sendmsg",
        ]
        return [
            "strace", "--daemonize", "-ff", "--seccomp-bpf", "--decode-fds=path",
            "--strings-in-hex=all", "--string-limit=16777216", "--quiet=all",
            "--absolute-timestamps=format:unix,precision:ns",
            "--trace=\(calls.joined(separator: ","))", "--output=\(prefix)", "--",
        ]
    }

    /// Reads the files of all threads. Each thread's calls are in a file of its own; their beginnings
    /// are an order, because what is recorded here happens one after another.
    init(of directory: String, output prefix: URL) throws {
        let parent = prefix.deletingLastPathComponent()
        var lines: [(time: Double, call: Call)] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: parent.path)
        where name.hasPrefix(prefix.lastPathComponent + ".") {
            let data = try Data(contentsOf: parent.appending(path: name))
            for line in data.split(separator: UInt8(ascii: "\n")) {
                if let call = try Call(Array(line)) { lines.append((call.time, call)) }
            }
        }
        for line in lines.sorted(by: { $0.time < $1.time }) {
            if let event = try Self.event(line.call, below: directory) { events.append(event) }
        }
    }

    private static func event(_ call: Call, below directory: String) throws -> Event? {
        func relative(_ argument: Int) -> String? {
            guard argument < call.arguments.count,
                let bytes = call.arguments[argument].bytes
            else { return nil }
            let path = String(decoding: bytes, as: UTF8.self)
            if path == directory { return "" }
            guard path.hasPrefix(directory + "/") else { return nil }
            return String(path.dropFirst(directory.count + 1))
        }
        if call.name == "sendto" || call.name == "sendmsg" {
            let data = call.arguments.count > 1 ? call.arguments[1].bytes ?? [] : []
            let isReply = String(decoding: data, as: UTF8.self).hasPrefix(
                #"{"parameters":{"report""#)
            return isReply ? .reply : nil
        }
        let isConcerned = (0..<call.arguments.count).contains { relative($0) != nil }
        guard isConcerned, call.result >= 0 else { return nil }
        switch call.name {
        case "mkdir": return relative(0).map { .makeDirectory($0) }
        case "unlink": return relative(0).map { .remove($0) }
        case "fsync", "fdatasync": return relative(0).map { .sync($0) }
        case "rename":
            if let source = relative(0), let target = relative(1) {
                return .rename(source, to: target)
            }
        case "write":
            if let path = relative(0), let bytes = call.arguments[1].bytes {
                return .write(path, Array(bytes.prefix(call.result)))
            }
        case "openat":
            let flags = call.arguments[2].text.split(separator: "|")
            if !flags.contains("O_WRONLY") && !flags.contains("O_RDWR") { return nil }
            // Whatever is written over in its place would be lost whole.
            if flags.contains("O_CREAT"), flags.contains("O_EXCL") {
                return relative(1).map { .create($0) }
            }
        default: break
        }
        throw TestSupportError("the model of a disk does not know \(call)")
    }

    /// One line: `1795428345.269 rename("\x2f…", "\x2f…") = 0`.
    private struct Call: CustomStringConvertible {
        struct Argument {
            let text: String
            /// Of a string, or of the path of a descriptor.
            let bytes: [UInt8]?
        }

        let time: Double
        let name: String
        let arguments: [Argument]
        let result: Int

        var description: String { "\(name)(\(arguments.map(\.text))) = \(result)" }

        /// nil for what is no call: the end of a thread, or a signal.
        init?(_ line: [UInt8]) throws {
            guard let space = line.firstIndex(of: UInt8(ascii: " ")),
                let open = line.firstIndex(of: UInt8(ascii: "(")),
                let time = Double(String(decoding: line[..<space], as: UTF8.self))
            else { return nil }
            name = String(decoding: line[(space + 1)..<open], as: UTF8.self)
            guard name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else { return nil }
            guard let close = line.lastIndex(of: UInt8(ascii: "=")) else {
                throw TestSupportError(
                    "strace wrote \(String(decoding: line.prefix(200), as: UTF8.self))")
            }
            self.time = time
            let rest = String(decoding: line[(close + 1)...], as: UTF8.self)
                .split(whereSeparator: { " <".contains($0) })
            // A descriptor that is returned is followed by its path; what was cut off by the process's
            // end is a question mark.
            result = rest.first.flatMap { Int($0) } ?? -1
            arguments = Self.split(line[(open + 1)..<close]).map(Self.argument)
        }

        private static func split(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
            var parts: [ArraySlice<UInt8>] = []
            var start = bytes.startIndex
            var index = start
            // All strings are in hexadecimal: no comma is inside one.
            while let comma = bytes[index...].firstIndex(of: UInt8(ascii: ",")) {
                parts.append(bytes[start..<comma])
                start = comma + 1
                index = start
            }
            parts.append(bytes[start...])
            return parts
        }

        private static func argument(_ bytes: ArraySlice<UInt8>) -> Argument {
            let trimmed = bytes.drop { $0 == UInt8(ascii: " ") }
            let limits: (UInt8, UInt8)? =
                if trimmed.first == UInt8(ascii: "\"") {
                    (UInt8(ascii: "\""), UInt8(ascii: "\""))
                } else if let first = trimmed.first, first >= UInt8(ascii: "0"),
                    first <= UInt8(ascii: "9")
                {
                    (UInt8(ascii: "<"), UInt8(ascii: ">"))
                } else {
                    nil
                }
            guard let limits, let start = trimmed.firstIndex(of: limits.0),
                let end = trimmed[(start + 1)...].firstIndex(of: limits.1)
            else {
                let text = trimmed.prefix { $0 != UInt8(ascii: ")") && $0 != UInt8(ascii: " ") }
                return Argument(text: String(decoding: text, as: UTF8.self), bytes: nil)
            }
            let decoded = decode(trimmed[(start + 1)..<end])
            return Argument(
                text: String(decoding: (decoded ?? []).prefix(200), as: UTF8.self), bytes: decoded)
        }

        /// The bytes of `\x2f\x74…`.
        private static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
            guard text.count % 4 == 0 else { return nil }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(text.count / 4)
            var index = text.startIndex
            while index < text.endIndex {
                guard text[index] == UInt8(ascii: "\\"), let high = digit(text[index + 2]),
                    let low = digit(text[index + 3])
                else { return nil }
                bytes.append(high << 4 | low)
                index += 4
            }
            return bytes
        }

        private static func digit(_ character: UInt8) -> UInt8? {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
            default: nil
            }
        }
    }
}
