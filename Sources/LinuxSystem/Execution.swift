internal import CLinux
internal import Glibc
package import SystemPackage

/// This process's own program, executed anew in its place.
package enum Execution {
    /// Executes the program again with the same arguments, with a variable added to its environment
    /// and these descriptors open. As another user than root, with no ambient capabilities, it has
    /// none then. Comes back by throwing only.
    ///
    /// - Throws: ``SystemError`` of execve(2); on success it does not return.
    package static func again(
        _ variable: String, _ value: String, passing descriptors: [FileDescriptor]
    ) throws(SystemError) {
        let inherited = entries.filter { !$0.hasPrefix("\(variable)=") }
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        var environment = (inherited + ["\(variable)=\(value)"]).map { strdup($0) } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        let raw = descriptors.map(\.rawValue)
        try systemCall("execve", program) {
            clinux_execute(program, &arguments, &environment, raw, raw.count)
        }
    }

    private static let program = "/proc/self/exe"

    private static var entries: [String] {
        var entries: [String] = []
        var next = environ
        while let entry = next.pointee {
            entries.append(String(cString: entry))
            next += 1
        }
        return entries
    }

    /// The variable that ``again(_:_:passing:)`` added, once.
    package static func taken(_ variable: String) -> String? {
        guard let value = getenv(variable) else { return nil }
        defer { unsetenv(variable) }
        return String(cString: value)
    }

    /// To be said of a descriptor that ``again(_:_:passing:)`` passed.
    ///
    /// - Throws: ``SystemError`` of fcntl(2).
    package static func keepToThisProgram(_ descriptor: Int32) throws(SystemError) {
        try systemCall("fcntl", "\(descriptor)") { clinux_keep_to_this_program(descriptor) }
    }
}
