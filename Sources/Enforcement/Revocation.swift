internal import Reports

/// The fate of the flows that the generation in force does not permit.
package struct Revocation: Hashable, Sendable {
    /// How many were ended; nil where none was looked for.
    var ended: Int?
    /// Why some of them go on, for which it is to be tried again.
    var problem: String?
    /// Another generation came before all were looked at.
    var isSuperseded = false
}

extension Reconciler {
    /// Ends the flows that the generation in force does not permit, beside everything else. Where that
    /// fails, ``Overview/isOutOfSync`` tells when it has ended.
    func endRefusedFlows() async {
        let number = current?.number
        revocation = await revoker.begin(current) { [weak self] result in
            await self?.looked(forFlowsOf: number, result)
        }
    }

    private func looked(forFlowsOf number: Int?, _ result: Revocation) {
        measurements.ended(result.ended ?? 0)
        desired.looked(forFlowsOf: number, result)
        publishUnlessBusy()
    }
}
