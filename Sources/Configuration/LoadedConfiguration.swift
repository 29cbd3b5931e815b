package import Site

/// A configuration as far as it could be used, with all that is to be told of it.
package struct LoadedConfiguration: Hashable, Sendable {
    /// nil when there is any error, and when nothing is configured.
    package let deployment: Deployment?
    /// Sorted by file, line and column; what concerns the directory as a whole comes first.
    package let diagnostics: [Diagnostic]
    /// The files that were read, in the order in which later ones override earlier ones.
    package let sources: [ConfigurationSource]

    /// Whether anything keeps the configuration from the kernel.
    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}

extension LoadedConfiguration {
    /// Merges, decodes and validates sources that override each other in the given order, which is
    /// the byte order of their paths.
    package init(parsing sources: [ConfigurationSource]) {
        self.init(parsing: sources, findings: Findings(), isComplete: true)
    }

    /// - Parameters:
    ///   - findings: those of reading the sources.
    ///   - isComplete: whether `sources` are all the files there are.
    init(parsing sources: [ConfigurationSource], findings: Findings, isComplete: Bool) {
        var findings = findings
        var isComplete = isComplete
        var merged = YAMLMapping()
        var budget = ConfigurationLimits.yamlNodes
        for source in sources {
            if let mapping = YAMLMapping(parsing: source, budget: &budget, findings: &findings) {
                merged.merge(mapping)
            } else {
                isComplete = false
            }
        }
        var decoder = DeploymentDecoder(findings: findings, isComplete: isComplete)
        let deployment = decoder.deployment(from: merged)
        self.init(
            deployment: decoder.findings.hasErrors ? nil : deployment,
            diagnostics: decoder.findings.sorted(), sources: sources)
    }
}
