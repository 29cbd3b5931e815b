internal import Logging
package import Metrics
internal import Ruleset

/// Says to monitoring what is known.
extension Reconciler {
    /// What is measured, now.
    package func metrics() async -> [MetricFamily] {
        let observation = await observation()
        var tracking: TrackingUse?
        do {
            tracking = try await kernel.kernel.trackingUse()
        } catch {
            // Collectors ask all the time; ``MetricFacts`` tells them.
            log.debug("can't read how full connection tracking is: \(error)")
        }
        // Nothing waits from here on, so that what is told belongs together.
        var tables: [ObservedTable]?
        if case .success(let observed) = observation { tables = observed }
        return MetricFacts(
            status: report(on: observation), measurements: measurements, drift: drift.origins,
            traffic: RowTraffic(tables ?? [], of: current), tracking: tracking,
            areTablesReadable: tables != nil, workerEnds: kernel.kernel.workerEnds,
            now: clock.now
        ).families
    }

    /// - Parameter problem: why the file for monitoring can't be written; nil where it can.
    package func noteMetricsFile(problem: String?) { metricsProblem = problem }
}
