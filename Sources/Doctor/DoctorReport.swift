/// The output of `pexip-fwctl doctor --json`.
package struct DoctorReport: Hashable, Sendable, Codable {
    /// How many findings are problems.
    package var problems: Int
    /// How many findings are hints.
    package var hints: Int
    /// How many things could not be looked at.
    package var unknown: Int
    /// In the order of the checks; without those that are fine unless these were asked for.
    package var findings: [Finding]

    /// - Parameter isVerbose: also holds what is fine.
    package init(_ findings: [Finding], isVerbose: Bool) {
        func count(_ severity: Finding.Severity) -> Int {
            findings.count { $0.severity == severity }
        }
        problems = count(.problem)
        hints = count(.hint)
        unknown = count(.unknown)
        self.findings = isVerbose ? findings : findings.filter { $0.severity != .ok }
    }
}
