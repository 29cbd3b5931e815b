import ArgumentParser
import Display
import Reports

extension ApplyReport {
    /// Prints the report, and fails where nothing was put in force, or not all that goes with it
    /// was done.
    ///
    /// - Parameter note: what else is to be said where it was put in force.
    func conclude(_ note: String? = nil) throws {
        Terminal.complain(diagnostics)
        showChanges()
        switch outcome {
        case .unchanged, .applied, .wouldApply:
            Terminal.say(conclusion)
            if let note { Terminal.say(note) }
            if let problem { throw Failure(.failure, problem) }
        case .rejected, .refused, .failed: throw Failure(.failure, refusal)
        }
    }

    /// Prints what changes, or would.
    private func showChanges() {
        let page = changesPage + tablesPage
        if page != Page() { Terminal.show(page) }
    }

    /// Prints the plan, and fails where it can't be carried out.
    func concludePlan(_ json: Bool = false) throws {
        if json {
            try Terminal.printJSON(self)
            if outcome != .unchanged && outcome != .wouldApply { throw ExitCode.failure }
            return
        }
        Terminal.complain(diagnostics)
        showChanges()
        guard let planConclusion else { throw Failure(.failure, planRefusal) }
        say(planConclusion)
    }

    private func say(_ line: String) {
        var page = Page()
        page.add(Text(line))
        Terminal.show(page)
    }
}
