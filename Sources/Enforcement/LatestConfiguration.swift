internal import Site

/// The configuration as it was read last, whether it was applied or not, and why it could not be.
struct LatestConfiguration: Sendable {
    private(set) var diagnostics: [Diagnostic] = []
    private(set) var digest = ""
    /// The directory configures nothing at all.
    private(set) var isEmpty = false
    /// Why a configuration that is correct could not be put in force.
    private(set) var failure: String?

    var isWrong: Bool { diagnostics.contains { $0.severity == .error } }

    /// An earlier failure is told until it is known how this ends.
    mutating func read(_ compilation: Compilation) {
        diagnostics = compilation.diagnostics
        digest = compilation.configurationDigest
        isEmpty = compilation.isEmpty
    }

    mutating func failed(because reason: String) { failure = reason }

    /// Something is in force as it is meant to be, or nothing is to be put in force.
    mutating func settled() { failure = nil }
}
