/// Moments at which something ends by itself.
extension Reconciler {
    /// How long nothing is to be done by ``keepDeadlines()``; nil where nothing is to be done at all.
    package var timeToNextDeadline: Duration? {
        ledger.record.isUnrecorded ? .zero : [timeToConfirm, timeToAdopt].compactMap(\.self).min()
    }

    /// Takes back what was not confirmed in time, ends what was to end, and writes what could not be
    /// recorded before. To be called when ``timeToNextDeadline`` has passed.
    package func keepDeadlines() async {
        await begin()
        defer { end() }
        if isOverdue { await takeBack() }
        await endAdoption()
        ledger.recordAgain()
    }
}
