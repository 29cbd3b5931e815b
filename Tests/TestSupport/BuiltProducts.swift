internal import Foundation

/// The executables that were built together with the running tests.
package enum BuiltProducts {
    /// The path of an executable of this package, such as `packet-probe` or `pexip-fwd`.
    ///
    /// `PEXIP_FW_PROGRAMS` names a directory whose programs are used instead, such as those of a
    /// release.
    package static func path(of name: String) throws -> String {
        for directory in candidates {
            let path = directory.appendingPathComponent(name).path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw TestSupportError(
            "\(name) is not built: run `swift build --product \(name)` in the tests' configuration "
                + "(looked in \(candidates.map(\.path).joined(separator: ", ")))")
    }

    /// The test bundle is an executable beside the products; a runner loads it by path otherwise.
    private static var candidates: [URL] {
        let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let arguments = CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
        let chosen = ProcessInfo.processInfo.environment["PEXIP_FW_PROGRAMS"].map {
            URL(fileURLWithPath: $0, isDirectory: true)
        }
        return [chosen].compactMap { $0 }
            + ([executable] + arguments.map { URL(fileURLWithPath: $0) })
            .map { $0.deletingLastPathComponent() }
    }
}
