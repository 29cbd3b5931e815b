/// What `pexip-fwctl doctor --json` prints.
package struct DoctorReport: Hashable, Sendable, Codable {
    package var problems: Int
    package var hints: Int
    /// What could not be looked at.
    package var unknown: Int
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
